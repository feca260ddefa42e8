/** What the rules of an operator come to: src/core/rules, against a second reading of the same sentences. */
import fc from 'fast-check'
import t from 'tap'
import { CLIENT_TYPES } from '../../../src/core/clients/client.js'
import { judge } from '../../../src/core/rules/judgement.js'
import { type Circumstances, type Conditions, holds, type Rule } from '../../../src/core/rules/rule.js'

const HERE: Circumstances = {
  ...{ clientId: 'cli', clientType: 'cli', flow: 'device', isUserAgentMissing: false },
  ...{ countries: ['NO', 'NO'], networks: ['192.0.2.1', '192.0.2.1'] }
}
const rule = (parts: Partial<Rule>): Rule => ({
  ...{ name: 'x', when: {}, consequence: 'warn', say: 'Careful.' },
  ...parts
})

t.test('a condition', async (t) => {
  const rows: [what: string, when: Conditions, seen: Partial<Circumstances>, expected: boolean][] = [
    ['nothing is said', {}, {}, true],
    ['the client', { clientIds: ['tv', 'cli'] }, {}, true],
    ['another client', { clientIds: ['tv'] }, {}, false],
    ['a client of that type, by another id', { clientTypes: ['cli'] }, { clientId: 'acme' }, true],
    ['another type', { clientTypes: ['mcp', 'other'] }, {}, false],
    ['the flow', { flows: ['device'] }, {}, true],
    ['the other flow', { flows: ['code'] }, {}, false],
    ['both are at home', { countryNot: ['NO', 'SE'] }, {}, false],
    ['who asks is abroad', { countryNot: ['NO'] }, { countries: ['SE', 'NO'] }, true],
    ['who answers is abroad', { countryNot: ['NO'] }, { countries: ['NO', 'SE'] }, true],
    ['one is abroad, the other unknown', { countryNot: ['NO'] }, { countries: ['SE', undefined] }, true],
    ['one is at home, the other unknown', { countryNot: ['NO'] }, { countries: [undefined, 'NO'] }, false],
    ['no country is known', { countryNot: ['NO'] }, { countries: [undefined, undefined] }, false],
    ['the countries differ', { countryMismatch: true }, { countries: ['NO', 'SE'] }, true],
    ['they are one', { countryMismatch: true }, {}, false],
    ['one is not known', { countryMismatch: true }, { countries: ['NO', undefined] }, false],
    ['the networks differ', { networkMismatch: true }, { networks: ['192.0.2.1', '192.0.2.2'] }, true],
    ['two networks of IPv6', { networkMismatch: true }, { networks: ['2001:db8::/64', '2001:db8:1::/64'] }, true],
    ['they are one', { networkMismatch: true }, {}, false],
    ['one is not known', { networkMismatch: true }, { networks: [undefined, '192.0.2.1'] }, false],
    ['IPv4 and IPv6', { networkMismatch: true }, { networks: ['192.0.2.1', '2001:db8::/64'] }, false],
    ['it named no User-Agent', { userAgentMissing: true }, { isUserAgentMissing: true }, true],
    ['it named one', { userAgentMissing: true }, {}, false],
    ['all hold', { flows: ['device'], clientIds: ['cli'] }, {}, true],
    ['one of them does not', { flows: ['device'], clientIds: ['tv'] }, {}, false]
  ]
  for (const [what, when, seen, expected] of rows) t.equal(holds(when, { ...HERE, ...seen }), expected, what)
})

t.test('all rules together', async (t) => {
  const refuse = rule({ name: 'no', consequence: 'refuse', say: 'No.' })
  const again = rule({ name: 'again', consequence: 'reauthenticate', say: 'Who are you?' })
  const warn = rule({})
  t.strictSame(judge([], HERE, false), { kind: 'open', warnings: [], isProofDue: false })
  t.strictSame(judge([warn, again, refuse], HERE, true), { kind: 'refused', rule: refuse }, 'wherever it stands')
  const other = rule({ name: 'other', consequence: 'refuse' })
  t.strictSame(judge([other, refuse], HERE, true), { kind: 'refused', rule: other }, 'the first of two')
  const both = ['Careful.', 'Who are you?']
  t.strictSame(judge([warn, again], HERE, false), { kind: 'open', warnings: both, isProofDue: true })
  t.strictSame(judge([warn, again], HERE, true), { kind: 'open', warnings: both, isProofDue: false })
  const silent = rule({ consequence: 'reauthenticate', say: undefined })
  t.strictSame(judge([silent], HERE, false), { kind: 'open', warnings: [], isProofDue: true })
})

t.test('any rules in any circumstances', async (t) => {
  const country = fc.constantFrom('NO', 'SE', 'DE')
  const network = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::/64')
  const known = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
  const id = fc.constantFrom('cli', 'mcp', 'acme')
  const type = fc.constantFrom(...CLIENT_TYPES)
  const flow = fc.constantFrom('device' as const, 'code' as const)
  const circumstances = fc.record({
    ...{ clientId: id, clientType: type, flow, isUserAgentMissing: fc.boolean() },
    ...{ countries: fc.tuple(known(country), known(country)), networks: fc.tuple(known(network), known(network)) }
  })
  const some = <T>(one: fc.Arbitrary<T>) => fc.uniqueArray(one, { minLength: 1, maxLength: 2 })
  const yes = fc.constant(true as const)
  const when = fc.record(
    {
      ...{ clientIds: some(id), clientTypes: some(type), flows: some(flow), countryNot: some(country) },
      ...{ countryMismatch: yes, networkMismatch: yes, userAgentMissing: yes }
    },
    { requiredKeys: [] }
  )
  const rules = fc.array(
    fc.record({
      name: fc.uuid(),
      when,
      consequence: fc.constantFrom('refuse' as const, 'warn' as const, 'reauthenticate' as const),
      say: known(fc.string())
    }),
    { maxLength: 6 }
  )

  t.test('one more condition never makes a rule apply that did not', async (t) => {
    fc.assert(
      fc.property(when, when, circumstances, (one, more, seen) => {
        if (holds({ ...more, ...one }, seen)) return holds(one, seen)
        return true
      })
    )
    t.pass()
  })

  t.test('what is not known is no reason', async (t) => {
    const places = fc.record(
      { countryNot: some(country), countryMismatch: yes, networkMismatch: yes },
      { requiredKeys: [] }
    )
    fc.assert(
      fc.property(places, circumstances, (of, seen) => {
        const unknown = [undefined, undefined] as const
        const isAnywhere = Object.keys(of).length === 0
        return holds(of, { ...seen, countries: unknown, networks: unknown }) === isAnywhere
      })
    )
    t.pass()
  })

  t.test('the first that refuses wins, all others speak in their order', async (t) => {
    fc.assert(
      fc.property(rules, circumstances, fc.boolean(), (list, seen, hasProved) => {
        const judgement = judge(list, seen, hasProved)
        let refusing: Rule | undefined
        const warnings: string[] = []
        let wantsProof = false
        for (const one of list) {
          if (!holds(one.when, seen)) continue
          if (one.consequence === 'refuse') refusing ??= one
          else if (one.say !== undefined) warnings.push(one.say)
          if (one.consequence === 'reauthenticate') wantsProof = true
        }
        if (refusing) return judgement.kind === 'refused' && judgement.rule === refusing
        return (
          judgement.kind === 'open' &&
          JSON.stringify(judgement.warnings) === JSON.stringify(warnings) &&
          judgement.isProofDue === (wantsProof && !hasProved)
        )
      })
    )
    t.pass()
  })
})
