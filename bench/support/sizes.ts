/** The sizes of a run: `full` for steady figures, `quick` for a first look. */
export interface Sizes {
  name: 'full' | 'quick'
  /** Rounds of each comparison; the sides alternate in them. Many short ones: the speed of a shared machine changes within seconds. */
  rounds: number
  /** Polls in a round. They take a server more than half a CPU-second, and the kernel counts hundredths. */
  polls: number
  /** Grants over which the bytes per grant are averaged. */
  grants: number
  /** The numbers of pending grants that are compared; the last of them is also used to count bytes per grant. */
  pending: readonly [number, ...number[]]
  /** Polls that are held at the same time. */
  waiters: number
  /** Views of each page. */
  views: number
  /** Tokens in a round. */
  tokens: number
  /** Device authorization requests in a round. */
  starts: number
  /** Grants in a round that are started, approved and collected. */
  collected: number
}

export const FULL: Sizes = {
  name: 'full',
  rounds: 12,
  polls: 17_000,
  grants: 100_000,
  pending: [1_000, 10_000, 100_000, 1_000_000],
  waiters: 1_000,
  views: 3_000,
  tokens: 1_400,
  starts: 8_000,
  collected: 1_000
}
export const QUICK: Sizes = {
  name: 'quick',
  rounds: 3,
  polls: 20_000,
  grants: 20_000,
  pending: [1_000, 10_000, 100_000],
  waiters: 300,
  views: 1_000,
  tokens: 1_500,
  starts: 10_000,
  collected: 1_200
}
