/** Where a server of a test runs: on the loopback, or in a network namespace that somebody has made. */
export interface Place {
  host: string
  /** The command that runs another one there, such as `ip netns exec NAME`. Empty where that is here. */
  within: readonly string[]
}

export const LOOPBACK: Place = { host: '127.0.0.1', within: [] }

/** A command line as `spawn` takes it, so that it runs at the place. */
export function commandAt({ within }: Place, command: string, args: readonly string[]): [string, string[]] {
  const [first = command, ...others] = [...within, command, ...args]
  return [first, others]
}
