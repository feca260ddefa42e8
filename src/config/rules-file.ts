/** Reads RULES_FILE, or lists its faults. Its format is described in schemas/rules-file.ts. */
import { type RuleEntry, RulesFile } from '../../schemas/rules-file.js'
import { isBuiltIn, isKnownByUrl } from '../core/clients/client.js'
import type { Rule } from '../core/rules/rule.js'
import { MOST_FAULTS, readJsonFile } from './named-files.js'

export interface RulesFileContent {
  rules: Rule[]
  /** One line each: the place, and what was expected there. */
  faults: string[]
}

/** What a rule may speak of: without it the rule would never hold, and nobody would notice. */
export interface RuleSubjects {
  /** The clients of OAUTH_CLIENTS_FILE; undefined if there is something wrong with that file. */
  clients: readonly { id: string }[] | undefined
  /** Whether an edge tells in which country somebody is (EDGE_HEADERS). */
  knowsCountries: boolean
}

export function readRulesFile(path: string | undefined, subjects: RuleSubjects): RulesFileContent {
  if (path === undefined) return { rules: [], faults: [] }
  const { content, faults: malformed } = readJsonFile(path, RulesFile)
  if (malformed) return { rules: [], faults: malformed }
  const faults = content.flatMap((entry, i) => [...ruleFaults(entry, i, content, subjects)])
  return { rules: content.map(toRule), faults: faults.slice(0, MOST_FAULTS) }
}

const nameOf = ({ name }: RuleEntry, index: number) => name ?? `${index + 1}`
const listOf = <T>(value: T | readonly T[] | undefined): readonly T[] | undefined =>
  value === undefined ? undefined : ([value].flat() as T[])

function* ruleFaults(
  entry: RuleEntry,
  index: number,
  all: RulesFile,
  { clients, knowsCountries }: RuleSubjects
): Generator<string> {
  const place = `[${index}]`
  const { client_id: ids, country_not: countries, country_mismatch: mismatch } = entry.when
  if (all.findIndex((other, i) => nameOf(other, i) === nameOf(entry, index)) !== index) {
    yield `${place}.name: another rule has it, as its name or as its number`
  }
  if (entry.then === 'warn' && entry.say === undefined) yield `${place}.say: is missing, a warning says something`
  const isClient = (id: string) =>
    isBuiltIn(id) || isKnownByUrl(id) || !clients || clients.some((client) => client.id === id)
  if (listOf(ids)?.some((id) => !isClient(id))) {
    yield `${place}.when.client_id: names no built-in client, none of OAUTH_CLIENTS_FILE and no https URL`
  }
  if (!knowsCountries) {
    for (const [name, value] of Object.entries({ country_not: countries, country_mismatch: mismatch })) {
      if (value) yield `${place}.when.${name}: needs EDGE_HEADERS, without which no country is known`
    }
  }
}

function toRule(entry: RuleEntry, index: number): Rule {
  const { when, then: consequence, say } = entry
  const [clientIds, clientTypes, flows] = [listOf(when.client_id), listOf(when.client_type), listOf(when.flow)]
  return {
    name: nameOf(entry, index),
    when: {
      ...(clientIds && { clientIds }),
      ...(clientTypes && { clientTypes }),
      ...(flows && { flows }),
      ...(when.country_not && { countryNot: when.country_not }),
      ...(when.country_mismatch && { countryMismatch: true }),
      ...(when.network_mismatch && { networkMismatch: true }),
      ...(when.user_agent_missing && { userAgentMissing: true })
    },
    consequence,
    say
  }
}
