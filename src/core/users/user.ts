/**
 * The id of a user: `sub` in every token. The dashboard chooses it, or it is assigned at the first sign-in on the pages. Where
 * people sign in by typing a name, that name is their id.
 */

/** The length cap OpenID Connect Core 1.0 §2 sets for `sub`; user ids are also parts of Redis keys. */
const LONGEST_USER_ID = 255
/** At most 64 characters, all of them visible, no space at either end. */
const TYPED_NAME = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u

/** Whether a value can be a user id. A lone surrogate is refused, because it has no UTF-8 form. */
export function isUserId(sub: unknown): sub is string {
  return typeof sub === 'string' && sub.length > 0 && sub.length <= LONGEST_USER_ID && !/\p{Surrogate}/u.test(sub)
}

/** The name that somebody typed, without the space around it, if people can be called that. */
export function readTypedName(typed: unknown): string | undefined {
  const name = typeof typed === 'string' ? typed.trim() : ''
  return TYPED_NAME.test(name) && isUserId(name) ? name : undefined
}
