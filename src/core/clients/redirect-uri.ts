/**
 * Redirect URIs (RFC 6749 §3.1.2): where the answers of the authorization endpoint go. They are compared as texts, but for the port
 * of a loopback address, which is free (RFC 8252 §7.3). Whatever is no URI of these kinds is never redirected to.
 */

/**
 * Any port and any path of a loopback address, without a query: what the built-in clients have. Any program may be one of them, and
 * whoever listens on the user's machine chooses the path.
 */
export const ANY_ON_LOOPBACK = 'any-on-loopback'
/** The registered URIs, or ANY_ON_LOOPBACK. */
export type RedirectUris = readonly string[] | typeof ANY_ON_LOOPBACK

export const LONGEST_REDIRECT_URI = 1024

/** The characters of a URI (RFC 3986 §2) without `#`: there is no fragment (RFC 6749 §3.1.2). */
const CHARACTERS = /^[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=%]+$/
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9]\d{0,4}))?((?:\/[^?]*)?)((?:\?.*)?)$/
/** A scheme of a program's own is a domain name the other way round (RFC 8252 §7.1), which none of a browser's own schemes is. */
const PRIVATE_USE = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:\/(?!\/)/

interface Loopback {
  host: string
  port: string | undefined
  path: string
  query: string
}

function readLoopback(uri: string): Loopback | undefined {
  const [, host, port, path = '', query = ''] = LOOPBACK.exec(uri) ?? []
  return host === undefined || Number(port ?? 80) > 65_535 ? undefined : { host, port, path, query }
}

const isWritable = (uri: string) => uri.length <= LONGEST_REDIRECT_URI && CHARACTERS.test(uri)

/** Whether a client may have this redirect URI: https, http on loopback, or a scheme of its own with a dot in its name. */
export function isRedirectUri(uri: string): boolean {
  if (!isWritable(uri)) return false
  if (PRIVATE_USE.test(uri) || readLoopback(uri)) return true
  if (!uri.startsWith('https://') || !URL.canParse(uri)) return false
  const { username, password } = new URL(uri)
  return username === '' && password === ''
}

/** Whether the answer to a request may go to the URI that it names. */
export function isAmong(registered: RedirectUris, sent: string): boolean {
  if (!isWritable(sent)) return false
  const loopback = readLoopback(sent)
  if (registered === ANY_ON_LOOPBACK) return loopback?.query === ''
  if (registered.includes(sent)) return true
  if (!loopback) return false
  return registered.some((uri) => {
    const one = readLoopback(uri)
    return one?.host === loopback.host && one.path === loopback.path && one.query === loopback.query
  })
}

/** What people recognize of a redirect URI: the host of a web page, an address on their own machine, or the scheme of a program. */
export function whereTo(uri: string): { kind: 'web' | 'loopback' | 'program'; name: string } {
  const loopback = readLoopback(uri)
  if (loopback)
    return { kind: 'loopback', name: loopback.host + (loopback.port === undefined ? '' : `:${loopback.port}`) }
  if (uri.startsWith('https://')) return { kind: 'web', name: new URL(uri).host }
  return { kind: 'program', name: uri.slice(0, uri.indexOf(':')) }
}

/** Whether an answer stays on the device of the browser that brings it: another machine has only the web. */
export const staysOnDevice = (uri: string) => whereTo(uri).kind !== 'web'
