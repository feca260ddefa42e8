/**
 * A rule of the operator (RULES_FILE): in which circumstances a question may not be answered, is asked with a warning, or wants an
 * answerer who has just signed in. judgement.ts says what comes of all rules together.
 */
import type { ClientType } from '../clients/client.js'

/** What the circumstances must be. All members that are there must hold; a list means any of it. Without a member it always holds. */
export interface Conditions {
  readonly clientIds?: readonly string[]
  readonly clientTypes?: readonly ClientType[]
  readonly flows?: readonly Circumstances['flow'][]
  /** ISO 3166-1 alpha-2. Holds if whoever asks or whoever answers is known to be in another country. */
  readonly countryNot?: readonly string[]
  readonly countryMismatch?: true
  readonly networkMismatch?: true
  readonly userAgentMissing?: true
}

export type Consequence = 'refuse' | 'warn' | 'reauthenticate'

export interface Rule {
  /** The operator's name for it, or else its number in the file. Metrics and the audit trail have it. */
  readonly name: string
  readonly when: Conditions
  readonly consequence: Consequence
  /** What people are told, in the operator's own words. */
  readonly say: string | undefined
}

/** The same of whoever asks and of whoever answers; undefined where it is not known. */
type OfBoth = readonly [asker: string | undefined, answerer: string | undefined]

export interface Circumstances {
  readonly clientId: string
  readonly clientType: ClientType
  readonly flow: 'device' | 'code'
  readonly countries: OfBoth
  /** What limits count as one address: an IPv4 address, or the /64 of an IPv6 address. */
  readonly networks: OfBoth
  /** Of the request that started the grant. */
  readonly isUserAgentMissing: boolean
}

/** Whether a rule applies. What is not known holds nowhere: a rule is for what is known, and says nothing of the rest. */
export function holds(when: Conditions, { countries, networks, ...seen }: Circumstances): boolean {
  const { countryNot } = when
  return (
    isAmong(when.clientIds, seen.clientId) &&
    isAmong(when.clientTypes, seen.clientType) &&
    isAmong(when.flows, seen.flow) &&
    (!countryNot || countries.some((country) => country !== undefined && !countryNot.includes(country))) &&
    (!when.countryMismatch || differ(countries)) &&
    (!when.networkMismatch || (differ(networks) && areComparable(networks))) &&
    (!when.userAgentMissing || seen.isUserAgentMissing)
  )
}

const isAmong = <T>(list: readonly T[] | undefined, one: T) => list === undefined || list.includes(one)

const differ = ([asker, answerer]: OfBoth) => asker !== undefined && answerer !== undefined && asker !== answerer

/** One home has an IPv4 and an IPv6 address, which say nothing of each other. */
const areComparable = ([asker = '', answerer = '']: OfBoth) => asker.includes(':') === answerer.includes(':')
