/** Milliseconds since 1970. Injected wherever time matters, so that tests turn it by hand. */
export type Clock = () => number
