/**
 * GRANTD_URL: where the demo looks for the service. Codes and tokens travel there,
 * so it takes https, or http that never leaves this machine.
 */
const DEFAULT_URL = 'http://127.0.0.1:3333'
const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]']

/** The service's address with a slash at its end. Throws with a sentence about what is wrong. */
export function readAddress(text: string | undefined): URL {
  const wanted = text || DEFAULT_URL
  const url = URL.canParse(wanted) ? new URL(wanted) : undefined
  if (!url || !isSafe(url) || url.username || url.password || url.search || url.hash) {
    throw new Error('GRANTD_URL: expected an https URL, or an http URL of this machine such as http://127.0.0.1:3333')
  }
  url.pathname = url.pathname.replace(/\/*$/, '/')
  return url
}

const isSafe = (url: URL) => url.protocol === 'https:' || isOnThisMachine(url)

/** Whether it is an http address of the loopback: only there could the demo start a service. */
export function isOnThisMachine(url: URL): boolean {
  return url.protocol === 'http:' && LOOPBACK_HOSTS.includes(url.hostname)
}

export const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80))

/** The address as people write it, without the slash at the end. */
export const written = (url: URL): string => url.href.replace(/\/$/, '')

/** How a command is typed in a second terminal, so that it talks to the same service. */
export function commandLine(url: URL, ...words: string[]): string {
  const setting = written(url) === DEFAULT_URL ? '' : `GRANTD_URL=${written(url)} `
  return `${setting}npm run demo -- ${words.join(' ')}`
}
