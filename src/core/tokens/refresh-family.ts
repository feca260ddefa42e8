/**
 * The refresh tokens of one authorization, of which one is current (RFC 9700 §4.14): the rules of rotation as plain functions
 * of a state and a time. The memory store runs them as they stand. The Redis script says the same in Lua with these same
 * limits, and one contract suite holds both to it.
 */

/** How long after it was rotated a token still leads to the current one: for answers that were lost, and callers that raced. */
export const REPLAY_GRACE_MS = 30_000
/** So many rotated tokens are remembered. */
export const REMEMBERED = 4

export interface FamilyState {
  currentDigest: string
  /** The last to be rotated first. */
  rotated: { digest: string; atMs: number }[]
}

/**
 * What presenting a token of this family comes to. `repeated`: it was rotated a moment ago, and the current one may be told
 * again. `replayed`: it was rotated too long ago, so two parties hold it. `refused`: so many rotations came so fast that its
 * own is forgotten; it is worth nothing, but proves nothing either.
 */
export type RotationVerdict = 'rotated' | 'repeated' | 'replayed' | 'refused'

/** Judges a rotation and brings the state up to date. */
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
