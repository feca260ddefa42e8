/** How much is done: enough for steady figures, or a quick look. */
export interface Sizes {
  name: 'full' | 'quick'
  /** Alternations of what is compared. */
  rounds: number
  /** Polls in a round: some two CPU-seconds of a server, of which the kernel counts hundredths. */
  polls: number
  /** Grants for the bytes of one. */
  grants: number
  /** So many grants are pending, step by step; the last are those whose bytes are counted at once. */
  pending: readonly [number, ...number[]]
  /** Polls that wait at the same time. */
  waiters: number
  /** Views of each page. */
  views: number
  /** Tokens in a round. */
  tokens: number
  /** Device authorization requests in a round. */
  starts: number
  /** Grants in a round that go the whole way: started, approved, collected. */
  collected: number
}

export const FULL: Sizes = {
  name: 'full',
  rounds: 4,
  polls: 50_000,
  grants: 100_000,
  pending: [1_000, 10_000, 100_000, 1_000_000],
  waiters: 1_000,
  views: 3_000,
  tokens: 4_000,
  starts: 24_000,
  collected: 3_000
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
