/** How much is done: enough for steady figures, or a quick look. */
export interface Sizes {
  /** Alternations of what is compared. */
  rounds: number
  /** Polls in a round: some two CPU-seconds of a server, of which the kernel counts hundredths. */
  polls: number
  /** Grants for the bytes of one. */
  grants: number
  /** Many grants, and few. */
  many: number
  few: number
  /** Polls that wait at the same time. */
  waiters: number
  /** Views of each page. */
  views: number
  /** Tokens in a round. */
  tokens: number
}

export const FULL: Sizes = {
  rounds: 4,
  polls: 50_000,
  grants: 100_000,
  many: 1_000_000,
  few: 1_000,
  waiters: 1_000,
  views: 3_000,
  tokens: 4_000
}
export const QUICK: Sizes = {
  rounds: 3,
  polls: 20_000,
  grants: 20_000,
  many: 100_000,
  few: 1_000,
  waiters: 300,
  views: 1_000,
  tokens: 1_500
}
