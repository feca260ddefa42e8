/** The id of a user: `sub` in every token. The dashboard chooses it, or it is assigned at the first sign-in on the pages. */

/** The length cap OpenID Connect Core 1.0 §2 sets for `sub`; user ids are also parts of Redis keys. */
const LONGEST_USER_ID = 255

/** Whether a value can be a user id. A lone surrogate is refused, because it has no UTF-8 form. */
export function isUserId(sub: unknown): sub is string {
  return typeof sub === 'string' && sub.length > 0 && sub.length <= LONGEST_USER_ID && !/\p{Surrogate}/u.test(sub)
}
