/** Scopes (RFC 6749 §3.3): a set of words in the order they were asked for. */

/** RFC 6749 §3.3: printable ASCII without space, double quote and backslash. */
export const SCOPE_TOKEN = '[\\x21\\x23-\\x5B\\x5D-\\x7E]+'
const SCOPE = new RegExp(`^${SCOPE_TOKEN}$`)
/** Nobody reads more of them on a consent page. */
const MOST = 50

/** The words of a scope parameter, each once; undefined if it is none. Absent or empty it is no scope at all. */
export function readScope(text: string | undefined): string[] | undefined {
  const words = (text ?? '').split(' ').filter((word) => word !== '')
  return words.length <= MOST && words.every((word) => SCOPE.test(word)) ? [...new Set(words)] : undefined
}

export function writeScope(scopes: readonly string[]): string {
  return scopes.join(' ')
}

/** Whether all of these are among those. */
export function isWithin(scopes: readonly string[], allowed: readonly string[]): boolean {
  return scopes.every((scope) => allowed.includes(scope))
}
