/** The id of a user, `sub` in every token: a text of the dashboard's choosing, within reason. */

/** Longer ids could not be keys of anything. */
const LONGEST_USER_ID = 255

/** Whether this can be a user id: a text that can be written down, which half of a surrogate pair cannot. */
export function isUserId(sub: unknown): sub is string {
  return typeof sub === 'string' && sub.length > 0 && sub.length <= LONGEST_USER_ID && !/\p{Surrogate}/u.test(sub)
}
