/**
 * Every key in Redis, spelled here and nowhere else. What one script touches shares a hash tag, and so a slot.
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
  /** The channel on which instances tell each other which grants were decided. */
  decisions: string
}

export function createKeys(prefix: string): Keys {
  return {
    grant: (grantDigest) => `${prefix}grant:${grantDigest}`,
    userCode: (tag) => `${prefix}user-code:${tag}`,
    record: (kind, parent, id) => `${prefix}${kind}:{${encodeURIComponent(parent)}}:${encodeURIComponent(id)}`,
    recordIndex: (kind, parent) => `${prefix}${kind}:{${encodeURIComponent(parent)}}`,
    refreshFamily: (authorizedClientId) => `${prefix}refresh-family:${authorizedClientId}`,
    limit: (name) => `${prefix}limit:${name}`,
    lock: (name) => `${prefix}lock:${name}`,
    signingKeys: (owner) => `${prefix}signing-keys${owner === undefined ? '' : `:${encodeURIComponent(owner)}`}`,
    decisions: `${prefix}decisions`
  }
}
