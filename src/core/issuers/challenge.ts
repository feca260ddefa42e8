/** How a domain is proved: its owner publishes the challenge as a TXT record, and it is looked up. */
import { Resolver } from 'node:dns/promises'

const LOOKUP_TRIES = 2
const LOOKUP_TIMEOUT_MS = 2_000

/** Reads the TXT records of a name; rejects like node:dns when it cannot. */
export type ResolveTxt = (name: string) => Promise<string[][]>

/** Asks this DNS server, or else those of the system. */
export function createTxtResolver(server: string | undefined): ResolveTxt {
  const resolver = new Resolver({ timeout: LOOKUP_TIMEOUT_MS, tries: LOOKUP_TRIES })
  if (server !== undefined) resolver.setServers([server])
  return (name) => resolver.resolveTxt(name)
}

/** The name a challenge is published under. */
export function challengeNameOf(domain: string): string {
  return `_grant-challenge.${domain}`
}

/** What keeps the challenge of a domain from being found, in a sentence for whoever asked; undefined if it was found. */
export async function lookForChallenge(
  challenge: string,
  domain: string,
  resolveTxt: ResolveTxt
): Promise<string | undefined> {
  const name = challengeNameOf(domain)
  try {
    const texts = (await resolveTxt(name)).map((parts) => parts.join(''))
    if (texts.includes(challenge)) return undefined
    return `${name} has ${texts.length === 0 ? 'no TXT record' : 'TXT records, but none is the challenge'}.`
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOTFOUND' || code === 'ENODATA') return `There is no TXT record at ${name}.`
    return `${name} could not be looked up${/^E[A-Z]+$/.test(code) ? ` (${code})` : ''}. Try again later.`
  }
}
