/**
 * The names of all Redis keys and channels; no other file spells one. Keys that one script touches share a hash tag, and so a
 * Cluster slot. Untrusted parts are percent-encoded, so that they cannot contain a colon or a brace.
 */
export interface Keys {
  grant(grantDigest: string): string
  userCode(tag: string): string
  record(kind: string, parent: string, id: string): string
  recordIndex(kind: string, parent: string): string
  refreshFamily(authorizationId: string): string
  /** Those of the revocation feed, and the channel on which its entries are published. */
  revocations: Readonly<Record<'entries' | 'order' | 'ends' | 'unfinished' | 'positions' | 'channel', string>>
  /** What counts the places of status lists that are taken, and which of the current list they are. */
  statusIndices: Readonly<Record<'counts' | 'taken', string>>
  /** The stream of the audit trail. */
  events: string
  limit(name: string): string
  lock(name: string): string
  /** Without an issuer's id, the signing keys of the service itself. */
  signingKeys(issuerId?: string): string
  /** A key in the slot of `key`, which replica-wait.ts writes as a fence before a WAIT. */
  fence(key: string): string
  /** The channel on which the decision of this grant is published. */
  decisions(grantDigest: string): string
  /** All channels of decisions, and that of revocations. */
  decisionChannels: readonly string[]
}

/** The channels of decisions: one for all grants, or (in a Cluster) one for each group of grants. */
export type ChannelLayout = 'one' | 'by-group'

/** The alphabet of a digest: base64url. */
const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']

/**
 * Grants form 4,096 groups, by the first two characters of their digests. A group and its channel are in one slot of a Cluster,
 * so that an instance can subscribe to all channels, and the groups are spread over all primaries.
 */
export const groupOf = (grantDigest: string) => grantDigest.slice(0, 2)

/** The hash tag of the revocation feed, no group of grants: all of the feed is in one slot of a Cluster, with its channel. */
const FEED = 'revocations'

export function createKeys(prefix: string, channels: ChannelLayout = 'one'): Keys {
  const decisionsOf = (group: string) => `${prefix}decisions:{${group}}`
  const all = `${prefix}decisions`
  const channel = channels === 'one' ? all : decisionsOf(FEED)
  const ofFeed = (part: string) => `${prefix}revocation:{${FEED}}:${part}`
  return {
    grant: (grantDigest) => `${prefix}grant:{${groupOf(grantDigest)}}${grantDigest.slice(2)}`,
    userCode: (tag) => `${prefix}user-code:${tag}`,
    record: (kind, parent, id) => `${prefix}${kind}:{${encodeURIComponent(parent)}}:${encodeURIComponent(id)}`,
    recordIndex: (kind, parent) => `${prefix}${kind}:{${encodeURIComponent(parent)}}`,
    refreshFamily: (authorizationId) => `${prefix}refresh-family:${authorizationId}`,
    revocations: {
      entries: ofFeed('entries'),
      order: ofFeed('order'),
      ends: ofFeed('ends'),
      unfinished: ofFeed('unfinished'),
      positions: ofFeed('positions'),
      channel
    },
    statusIndices: { counts: `${prefix}status-index:{status}:counts`, taken: `${prefix}status-index:{status}:taken` },
    events: `${prefix}events`,
    limit: (name) => `${prefix}limit:${name}`,
    lock: (name) => `${prefix}lock:${name}`,
    signingKeys: (issuerId) =>
      `${prefix}signing-keys${issuerId === undefined ? '' : `:${encodeURIComponent(issuerId)}`}`,
    fence: (key) => `${prefix}fence:{${hashTagOf(key)}}`,
    ...(channels === 'one'
      ? { decisions: () => all, decisionChannels: [all] }
      : {
          decisions: (grantDigest) => decisionsOf(groupOf(grantDigest)),
          decisionChannels: [...DIGITS.flatMap((first) => DIGITS.map((second) => decisionsOf(first + second))), channel]
        })
  }
}

/** The part of a key that its Cluster slot is computed from. */
function hashTagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key
}
