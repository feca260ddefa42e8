/** GRANTD_URL: the address of the service. Codes and tokens are sent there, so it must be https, or http on the loopback. */
const DEFAULT_URL = 'http://127.0.0.1:3333'
/** The other address that `localhost` may stand for. */
const OTHER_URL = 'http://localhost:3333'
const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Returns the addresses at which the service may be: GRANTD_URL, or the two defaults. Throws if GRANTD_URL is no safe
 * address.
 */
export function readAddresses(text: string | undefined): [URL, ...URL[]] {
  return text ? [readAddress(text)] : [readAddress(DEFAULT_URL), readAddress(OTHER_URL)]
}

/** Returns the address with a trailing slash. */
function readAddress(wanted: string): URL {
  const url = URL.canParse(wanted) ? new URL(wanted) : undefined
  if (!url || !isSafe(url) || url.username || url.password || url.search || url.hash) {
    throw new Error('GRANTD_URL: expected an https URL, or an http URL of this machine such as http://127.0.0.1:3333')
  }
  url.pathname = url.pathname.replace(/\/*$/, '/')
  return url
}

const isSafe = (url: URL) => url.protocol === 'https:' || isOnThisMachine(url)

/** Whether it is an http address on the loopback, the only kind at which the demo can start a service itself. */
export function isOnThisMachine(url: URL): boolean {
  return url.protocol === 'http:' && LOOPBACK_HOSTS.includes(url.hostname)
}

export const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80))

/** The address without its trailing slash. */
export const written = (url: URL): string => url.href.replace(/\/$/, '')

/** The command line for a second terminal, with GRANTD_URL if that is not the default. */
export function commandLine(url: URL, ...words: string[]): string {
  const setting = written(url) === DEFAULT_URL ? '' : `GRANTD_URL=${written(url)} `
  return `${setting}npm run demo -- ${words.join(' ')}`
}
