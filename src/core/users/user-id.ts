/**
 * The id of a user, `sub` in every token: a text of the dashboard's choosing, within reason. Where people sign in by typing a
 * name, that name is their id.
 */

/** Longer ids could not be keys of anything. */
const LONGEST_USER_ID = 255
/** At most 64 characters, all of them visible, no space at either end. */
const TYPED_NAME = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u

/** Whether this can be a user id: a text that can be written down, which half of a surrogate pair cannot. */
export function isUserId(sub: unknown): sub is string {
  return typeof sub === 'string' && sub.length > 0 && sub.length <= LONGEST_USER_ID && !/\p{Surrogate}/u.test(sub)
}

/** The name that somebody typed, without the space around it, if people can be called that. */
export function readTypedName(typed: unknown): string | undefined {
  const name = typeof typed === 'string' ? typed.trim() : ''
  return TYPED_NAME.test(name) && isUserId(name) ? name : undefined
}
