/**
 * The names of all Redis keys and channels; no other file spells one. Keys that one script touches share a hash tag, and so a
 * Cluster slot. Untrusted parts are percent-encoded, so that they cannot contain a colon or a brace.
 */
export interface Keys {
  grant(grantDigest: string): string
  userCode(tag: string): string
  record(kind: string, parent: string, id: string): string
  recordIndex(kind: string, parent: string): string
  /** All records of a kind, as a pattern of SCAN; `placeOf` reads the parent and the id of such a key. */
  recordsOf(kind: string): { pattern: string; placeOf(key: string): { parent: string; id: string } | undefined }
  /** The parent of a record, in a slot of its own. */
  recordParent(kind: string, id: string): string
  refreshFamily(authorizationId: string): string
  /** Those of the revocation feed, and the channel on which its entries are published. */
  revocations: Readonly<Record<'entries' | 'order' | 'ends' | 'unfinished' | 'positions' | 'channel', string>>
  /** What counts the places of status lists that are taken, and which of the current list they are. */
  statusIndices: Readonly<Record<'counts' | 'taken', string>>
  /** The streams of the audit trail: all events, and those that not anybody can cause. */
  events: Readonly<Record<'all' | 'evidence', string>>
  limit(name: string): string
  lock(name: string): string
  /** Without an issuer's id, the signing keys of the service itself. */
  signingKeys(issuerId?: string): string
  /** A pattern for SCAN that all keys match. */
  all: string
  /** What a key is called after, and the record that it holds if it holds one. */
  readKey(key: string): { family: string; record?: { parent: string; id: string } }
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

/** A family, then a record's parent and id, if it has that form; the id is left out in the key of a list. */
const RECORD = /^([a-z-]+)(?::(?:\{([^{}]*)\}(?::(.*))?|.*))?$/s

export function createKeys(prefix: string, channels: ChannelLayout = 'one'): Keys {
  const decisionsOf = (group: string) => `${prefix}decisions:{${group}}`
  const all = `${prefix}decisions`
  const events = `${prefix}events`
  const channel = channels === 'one' ? all : decisionsOf(FEED)
  const ofFeed = (part: string) => `${prefix}revocation:{${FEED}}:${part}`
  return {
    grant: (grantDigest) => `${prefix}grant:{${groupOf(grantDigest)}}${grantDigest.slice(2)}`,
    userCode: (tag) => `${prefix}user-code:${tag}`,
    record: (kind, parent, id) => `${prefix}${kind}:{${encodeURIComponent(parent)}}:${encodeURIComponent(id)}`,
    recordIndex: (kind, parent) => `${prefix}${kind}:{${encodeURIComponent(parent)}}`,
    recordsOf: (kind) => {
      const start = `${prefix}${kind}:{`
      return {
        pattern: `${start.replace(/[*?[\]\\^]/g, '\\$&')}*}:*`,
        placeOf: (key) => placeIn(key.slice(start.length))
      }
    },
    recordParent: (kind, id) => `${prefix}${kind}-parent:${encodeURIComponent(id)}`,
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
    events: { all: events, evidence: `${prefix}evidence:{${hashTagOf(events)}}` },
    limit: (name) => `${prefix}limit:${name}`,
    lock: (name) => `${prefix}lock:${name}`,
    signingKeys: (issuerId) =>
      `${prefix}signing-keys${issuerId === undefined ? '' : `:${encodeURIComponent(issuerId)}`}`,
    all: `${prefix}*`,
    readKey(key) {
      const [, family = '', parent, id] = RECORD.exec(key.slice(prefix.length)) ?? []
      if (parent === undefined || id === undefined) return { family }
      const record = { parent: decoded(parent), id: decoded(id) }
      return { family, record }
    },
    fence: (key) => `${prefix}fence:{${hashTagOf(key)}}`,
    ...(channels === 'one'
      ? { decisions: () => all, decisionChannels: [all] }
      : {
          decisions: (grantDigest) => decisionsOf(groupOf(grantDigest)),
          decisionChannels: [...DIGITS.flatMap((first) => DIGITS.map((second) => decisionsOf(first + second))), channel]
        })
  }
}

/** A part of a key that was percent-encoded. What is no such text was written by somebody else, and is left as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The part of a key that its Cluster slot is computed from. */
function hashTagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key
}

/** The parent and the id in the rest of a record's key; undefined if grantd did not write it. */
function placeIn(rest: string): { parent: string; id: string } | undefined {
  const [parent, id] = rest.split('}:')
  if (parent === undefined || id === undefined) return undefined
  try {
    return { parent: decodeURIComponent(parent), id: decodeURIComponent(id) }
  } catch {
    return undefined
  }
}
