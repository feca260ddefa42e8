/**
 * The refresh tokens of one authorization form a family, of which one is current. These are the rules of its rotation
 * (RFC 9700 §4.14), as functions of a state and a time. The memory store runs them; the Redis script implements the same rules
 * in Lua, with these very limits, and one contract suite tests both. The interface of the stores is here as well.
 */

/** How long a rotated token still leads to the current one, so that lost answers and concurrent refreshes are no replay. */
export const REPLAY_GRACE_MS = 30_000
/** How many rotated tokens a family remembers. */
export const REMEMBERED = 4

export interface FamilyState {
  currentDigest: string
  /** The most recently rotated first. */
  rotated: { digest: string; atMs: number }[]
}

/**
 * The verdict on a presented token of this family. `repeated`: rotated within the grace period, so the current token is handed
 * out again. `replayed`: rotated earlier than that, so two parties hold the token. `refused`: not remembered, because all that
 * are remembered were rotated within the grace period; the token is invalid, but no proof of a replay.
 */
export type RotationVerdict = 'rotated' | 'repeated' | 'replayed' | 'refused'

/** Judges a presented token and updates the state; `next` is the digest of the token that follows it. */
export function judgeRotation(family: FamilyState, presented: string, next: string, nowMs: number): RotationVerdict {
  if (family.currentDigest === presented) {
    family.currentDigest = next
    family.rotated = [{ digest: presented, atMs: nowMs }, ...family.rotated].slice(0, REMEMBERED)
    return 'rotated'
  }
  const isRecent = (atMs: number) => nowMs <= atMs + REPLAY_GRACE_MS
  const known = family.rotated.find(({ digest }) => digest === presented)
  if (known) return isRecent(known.atMs) ? 'repeated' : 'replayed'
  const oldest = family.rotated[REMEMBERED - 1]
  return oldest && isRecent(oldest.atMs) ? 'refused' : 'replayed'
}

export interface RefreshFamily {
  userId: string
  currentDigest: string
}

export type Rotation =
  | { kind: 'rotated'; currentDigest: string }
  | { kind: 'repeated'; currentDigest: string }
  | { kind: 'replayed' | 'refused' | 'unknown' }

/**
 * The storage interface. The id of a family is that of its authorization; tokens are passed as digests. Every method is atomic
 * and safe to repeat, and rejects with the fault `unavailable` when the storage cannot answer.
 */
export interface RefreshFamilyStore {
  /** Creates a family unless it exists. Resolves to the family as it is afterwards. */
  begin(familyId: string, family: RefreshFamily, keepUntilMs: number): Promise<RefreshFamily>
  find(familyId: string): Promise<RefreshFamily | undefined>
  /**
   * Judges a presented token by judgeRotation and, if it is the current one, replaces it. The caller must have verified
   * that the token was issued in this family.
   */
  rotate(familyId: string, presentedDigest: string, nextDigest: string): Promise<Rotation>
}
