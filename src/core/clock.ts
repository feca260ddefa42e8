/** Unix time in milliseconds. It is injected wherever the core reads the time, so that tests can set it. */
export type Clock = () => number
