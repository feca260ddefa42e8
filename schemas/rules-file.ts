/** The schema of RULES_FILE, which src/config/rules-file.ts reads. docs/rules.md says what its members mean. */
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { CLIENT_TYPES } from '../src/core/clients/client.js'
import { oneOf } from './config.js'

/** Adds `expects`: what the message about a wrong value says is expected. */
function member<T extends TSchema>(schema: T, expects: string): T {
  return { ...schema, expects }
}

const listOf = <T extends TSchema>(items: T, what: string) =>
  member(Type.Array(items, { minItems: 1, maxItems: 1_000, uniqueItems: true }), `a list of ${what}, each once`)

/** One, or a list of which any may be it. */
const anyOf = <T extends string>(values: readonly T[]) => {
  const expects = `one of ${values.join(', ')}, or a list of them`
  const one = member(oneOf(values), expects)
  return member(Type.Union([one, listOf(one, values.join(', '))]), expects)
}

const only = member(Type.Literal(true), 'true, or to be left out')

const clientId = member(Type.String({ minLength: 1, maxLength: 512 }), 'the id of a client')

export const Conditions = member(
  Type.Object(
    {
      client_id: Type.Optional(
        member(Type.Union([clientId, listOf(clientId, 'ids')]), 'the id of a client, or a list')
      ),
      client_type: Type.Optional(anyOf(CLIENT_TYPES)),
      flow: Type.Optional(anyOf(['device', 'code'])),
      country_not: Type.Optional(
        listOf(
          member(Type.String({ pattern: '^[A-Z]{2}$' }), 'a country as ISO 3166-1 has it, such as NO'),
          'countries such as NO'
        )
      ),
      country_mismatch: Type.Optional(only),
      network_mismatch: Type.Optional(only),
      user_agent_missing: Type.Optional(only)
    },
    { additionalProperties: false }
  ),
  'an object of conditions'
)

/** Pages show it beside their own words, so it holds no control or format characters. */
const SAID = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,300}(?<!\p{Z})$/u

export const RuleEntry = member(
  Type.Object(
    {
      name: Type.Optional(
        member(Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }), '1 to 64 letters, digits and . _ -')
      ),
      when: Conditions,
      then: member(oneOf(['refuse', 'warn', 'reauthenticate']), 'one of refuse, warn, reauthenticate'),
      say: Type.Optional(
        member(Type.RegExp(SAID), 'a sentence of at most 300 characters, all of them visible, no space at either end')
      )
    },
    { additionalProperties: false }
  ),
  'an object with when, then and say'
)

export const RulesFile = member(Type.Array(RuleEntry, { maxItems: 1_000 }), 'a list of rules')

export type RulesFile = Static<typeof RulesFile>
export type RuleEntry = Static<typeof RuleEntry>
