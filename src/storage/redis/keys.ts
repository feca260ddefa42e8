/**
 * Every key in Redis, and every channel, spelled here and nowhere else. What one script touches shares a hash tag, and so a slot.
 * Parts that come from outside are percent-encoded: no colon or brace of theirs can end up as one of ours.
 */
export interface Keys {
  grant(grantDigest: string): string
  userCode(tag: string): string
  record(kind: string, parent: string, id: string): string
  recordIndex(kind: string, parent: string): string
  refreshFamily(authorizedClientId: string): string
  limit(name: string): string
  lock(name: string): string
  signingKeys(owner?: string): string
  /** Written before a WAIT, in the slot of the key that was written. */
  fence(key: string): string
  /** The channel on which instances tell each other that this grant was decided. */
  decisions(grantDigest: string): string
  /** All of these channels. */
  decisionChannels: readonly string[]
}

/** How the channels of decisions are shared out: one takes all, or there is one for each group of grants. */
export type ChannelLayout = 'one' | 'by-group'

/** The 64 characters a digest is written in. */
const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']

/**
 * Grants are in 4,096 groups, by the beginning of their digests: a group is in one slot of a Cluster, together with its
 * channel. So an instance can listen to all channels there are, and every primary has its share.
 */
const groupOf = (grantDigest: string) => grantDigest.slice(0, 2)

export function createKeys(prefix: string, channels: ChannelLayout = 'one'): Keys {
  const decisionsOf = (group: string) => `${prefix}decisions:{${group}}`
  const all = `${prefix}decisions`
  return {
    grant: (grantDigest) => `${prefix}grant:{${groupOf(grantDigest)}}:${grantDigest}`,
    userCode: (tag) => `${prefix}user-code:${tag}`,
    record: (kind, parent, id) => `${prefix}${kind}:{${encodeURIComponent(parent)}}:${encodeURIComponent(id)}`,
    recordIndex: (kind, parent) => `${prefix}${kind}:{${encodeURIComponent(parent)}}`,
    refreshFamily: (authorizedClientId) => `${prefix}refresh-family:${authorizedClientId}`,
    limit: (name) => `${prefix}limit:${name}`,
    lock: (name) => `${prefix}lock:${name}`,
    signingKeys: (owner) => `${prefix}signing-keys${owner === undefined ? '' : `:${encodeURIComponent(owner)}`}`,
    fence: (key) => `${prefix}fence:{${hashTagOf(key)}}`,
    ...(channels === 'one'
      ? { decisions: () => all, decisionChannels: [all] }
      : {
          decisions: (grantDigest) => decisionsOf(groupOf(grantDigest)),
          decisionChannels: DIGITS.flatMap((first) => DIGITS.map((second) => decisionsOf(first + second)))
        })
  }
}

/** The part of a key that its slot is computed from. */
function hashTagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key
}
