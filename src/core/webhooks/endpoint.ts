/** The endpoints of WEBHOOKS_FILE: where events are sent, which of them, and the secrets that sign them. */

export interface WebhookEndpoint {
  /** Names its state in the storage, and itself in logs and commands. */
  readonly id: string
  readonly url: string
  /** `whsec_…`. The first one is the newest; all of them sign, so that a secret can be rotated. */
  readonly secrets: readonly string[]
  /** Types of events, `grant.*` for all that begin so, `*` for all. */
  readonly types: readonly string[]
  /** Whether it may be at an address that is not public, and without TLS. */
  readonly isInternal: boolean
}

export function isWanted({ types }: Pick<WebhookEndpoint, 'types'>, type: string): boolean {
  return types.some((one) => one === '*' || one === type || (one.endsWith('.*') && type.startsWith(one.slice(0, -1))))
}
