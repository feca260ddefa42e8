/** Proves a domain: its owner publishes a challenge as a TXT record, and this file looks the record up. */
import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'

const LOOKUP_TRIES = 2
const LOOKUP_TIMEOUT_MS = 2_000

/** Resolves to the TXT records of a name. Rejects like node:dns. */
export type ResolveTxt = (name: string) => Promise<string[][]>

/**
 * Whether the challenge is published. `absent` is what the DNS says, `unanswered` that nobody said anything, which proves
 * nothing. The sentence is for the caller.
 */
export type ChallengeLookup = { kind: 'found' } | { kind: 'absent' | 'unanswered'; problem: string }

/** Makes a resolver that asks this DNS server, or those of the system if undefined. */
export function createTxtResolver(server: string | undefined): ResolveTxt {
  const resolver = new Resolver({ timeout: LOOKUP_TIMEOUT_MS, tries: LOOKUP_TRIES })
  if (server !== undefined) resolver.setServers([server])
  return (name) => resolver.resolveTxt(name)
}

/** Makes a challenge, of 192 random bits. */
export function newChallenge(): string {
  return randomBytes(24).toString('base64url')
}

/** The name at which the challenge is published. */
export function challengeNameOf(domain: string): string {
  return `_grant-challenge.${domain}`
}

/** Looks for the challenge among the TXT records of a domain. Never rejects. */
export async function lookForChallenge(
  challenge: string,
  domain: string,
  resolveTxt: ResolveTxt
): Promise<ChallengeLookup> {
  const name = challengeNameOf(domain)
  const absent = (problem: string) => ({ kind: 'absent', problem }) as const
  try {
    const texts = (await resolveTxt(name)).map((parts) => parts.join(''))
    if (texts.includes(challenge)) return { kind: 'found' }
    return absent(`${name} has ${texts.length === 0 ? 'no TXT record' : 'TXT records, but none is the challenge'}.`)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOTFOUND' || code === 'ENODATA') return absent(`There is no TXT record at ${name}.`)
    const why = /^E[A-Z]+$/.test(code) ? ` (${code})` : ''
    return { kind: 'unanswered', problem: `${name} could not be looked up${why}. Try again later.` }
  }
}
