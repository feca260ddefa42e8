/** Scopes (RFC 6749 §3.3): a list of distinct words, in the order of the request. */
import { fault } from '../fault.js'

/** The `scope-token` of RFC 6749 §3.3: printable ASCII without space, double quote and backslash. */
export const SCOPE_TOKEN = '[\\x21\\x23-\\x5B\\x5D-\\x7E]+'
const SCOPE = new RegExp(`^${SCOPE_TOKEN}$`)
/** Caps the number of scopes in a request: a consent page with more would not be read. */
const MOST = 50
/** The length cap of a scope parameter, in characters. */
export const LONGEST_SCOPE = 1024

/** The words of a scope parameter, without duplicates; empty if it is absent or empty, undefined if it is malformed or too long. */
export function readScope(text = ''): string[] | undefined {
  if (text.length > LONGEST_SCOPE) return undefined
  const words = text.split(' ').filter((word) => word !== '')
  return words.length <= MOST && words.every((word) => SCOPE.test(word)) ? [...new Set(words)] : undefined
}

export function writeScope(scopes: readonly string[]): string {
  return scopes.join(' ')
}

/** The scopes without those that were left out, of which only optional ones can be. */
export function withoutLeftOut(
  scopes: readonly string[],
  optional: readonly string[],
  leftOut: readonly string[]
): readonly string[] {
  return scopes.filter((scope) => !(optional.includes(scope) && leftOut.includes(scope)))
}

/** Whether every scope is among the allowed ones. */
export function isWithin(scopes: readonly string[], allowed: readonly string[]): boolean {
  return scopes.every((scope) => allowed.includes(scope))
}

/** Whether two lists have the same scopes, in whatever order. */
export function isSameScope(some: readonly string[], others: readonly string[]): boolean {
  return isWithin(some, others) && isWithin(others, some)
}

/** The scopes a client asks for, all of them its own or of the resources it asks for, but for ignored ones. Throws `invalid_scope`. */
export function readRequestedScopes(
  client: { readonly scopes: readonly string[]; readonly ignoredScopes?: readonly string[] },
  resources: readonly { readonly scopes: readonly string[] }[],
  scope: string | undefined
): readonly string[] {
  const scopes = readScope(scope)
  const allowed = [client, ...resources].flatMap((of) => of.scopes)
  if (!scopes || !isWithin(scopes, allowed)) throw fault('invalid_scope')
  return scopes.filter((scope) => !client.ignoredScopes?.includes(scope))
}
