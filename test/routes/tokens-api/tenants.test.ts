import t from 'tap'
import type { Answer } from '../../support/app.js'
import { BODIES, makeOneOfEach, startTokensApp } from '../../support/tokens-client.js'
import { apiHeaders } from '../expectations.js'
import { contentOf, everyOperation, isText, isThing, refused } from './every-operation.js'

const tenant = BODIES.createTenant
const provider = BODIES.createTenantProvider
const policy = BODIES.createTenantProviderPolicy
const OPERATORS = ['stringEquals', 'stringLike', 'stringNotEquals', 'stringNotLike']

t.test('tenants', async (t) => {
  const { api, clock, by, newKey } = await startTokensApp(t, { LIMITS: 'off' })

  t.test('201 answers with what was sent, an id and the times, and nothing else', async (t) => {
    t.strictSame((await api.listTenants()).body, [], '200 with none, a bare array')
    const answer = await api.createTenant({}, { ...tenant, id: 'x', account: 'other', createdAt: 'x' })
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), tenant)
    t.strictSame((await api.getTenant({ tenantId: answer.body.id })).body, answer.body)
    t.equal((await api.deleteTenant({ tenantId: answer.body.id })).status, 204)
  })

  t.test('200 lists those of the account in the order they were made', async (t) => {
    const made = []
    for (let i = 0; i < 8; i++) made.push((await api.createTenant({}, { ...tenant, name: `tenant ${i}` })).body)
    const listed = await api.listTenants()
    t.strictSame([listed.status, listed.body], [200, made])
    apiHeaders(t, listed)
    t.strictSame((await by(await newKey()).listTenants()).body, made, 'to every key of the account')
    t.strictSame((await by(await newKey('other')).listTenants()).body, [], 'and to no other')
    const [gone] = made.splice(4, 1)
    t.equal((await api.deleteTenant({ tenantId: gone.id })).status, 204)
    t.strictSame((await api.listTenants()).body, made)
  })

  t.test('name is 3 to 255 characters', (t) =>
    isText(t, 'name', 3, 255, (name) => api.createTenant({}, { ...tenant, name }))
  )
  t.test('description is 1 to 100 characters', (t) =>
    isText(t, 'description', 1, 100, (description) => api.createTenant({}, { ...tenant, description }))
  )
})

t.test('tenant providers', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const { tenantId } = (await makeOneOfEach(api)) as { tenantId: string }
  let made = 0
  /** Every call uses another URL, so that no trusted issuer exists twice. */
  const create = (parts: object) =>
    api.createTenantProvider({ tenantId }, { ...provider, url: `https://issuer.example.com/${made++}`, ...parts })

  t.test('201 answers with what was sent, an id and the times, and nothing else', async (t) => {
    const answer = await api.createTenantProvider({ tenantId }, { ...provider, audience: 'other', id: 'x', keys: [] })
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), { ...provider, audience: 'other' })
    const tenantProviderId = answer.body.id
    t.strictSame((await api.getTenantProvider({ tenantId, tenantProviderId })).body, answer.body)
  })

  t.test('200 lists those of the tenant in the order they were made', async (t) => {
    const before = (await api.listTenantProviders({ tenantId })).body
    const more = []
    for (let i = 0; i < 6; i++) more.push((await create({})).body)
    const listed = await api.listTenantProviders({ tenantId })
    t.strictSame([listed.status, listed.body], [200, [...before, ...more]])
    const other = await api.createTenant({}, tenant)
    t.strictSame((await api.listTenantProviders({ tenantId: other.body.id })).body, [], 'of this tenant alone')
  })

  t.test('201 the url loses one slash at its end, and nothing else', async (t) => {
    for (const [url, kept] of [
      ['https://a.example', 'https://a.example'],
      ['https://b.example/', 'https://b.example'],
      ['https://c.example/base/', 'https://c.example/base'],
      ['https://d.example/base//', 'https://d.example/base/'],
      ['https://E.example:8443/Base', 'https://E.example:8443/Base'],
      [`https://f.example/${'x'.repeat(2048 - 18)}`, `https://f.example/${'x'.repeat(2048 - 18)}`]
    ]) {
      const answer = await create({ url })
      t.strictSame([answer.status, answer.body.url], [201, kept])
    }
  })

  t.test('400 a url that is none, or that no issuer has', async (t) => {
    const long = `https://f.example/${'x'.repeat(2049 - 18)}`
    const wrong = [
      '',
      'x',
      '/issuer',
      '//issuer.example',
      'issuer.example',
      'ftp://a.example',
      'javascript:alert(1)',
      long
    ]
    const odd = ['https://', 'https://a b.example', 'https://u:p@a.example', 'https://u@a.example', 'data:text/plain,x']
    const parts = ['https://a.example/?x=1', 'https://a.example/#x', 'https://a.example?', ' https://a.example']
    for (const url of [
      ...wrong,
      ...odd,
      ...parts,
      'https://a.example\n',
      'https://[::1',
      null,
      5,
      ['https://a.example']
    ]) {
      refused(t, await create({ url }), 400, JSON.stringify(url).slice(0, 40), 'url')
    }
  })

  t.test('fingerprints are 1 to 5', async (t) => {
    const fingerprint = 'a'.repeat(40)
    for (const count of [1, 5]) {
      const fingerprints = Array.from({ length: count }, (_, i) => `${i}`.repeat(40))
      const answer = await create({ fingerprints })
      t.strictSame([answer.status, answer.body.fingerprints], [201, fingerprints], `${count}`)
    }
    for (const fingerprints of [[], Array(6).fill(fingerprint), null, fingerprint, {}, undefined]) {
      refused(t, await create({ fingerprints }), 400, JSON.stringify(fingerprints), 'fingerprints')
    }
  })

  t.test('a fingerprint is 32 to 64 characters', (t) =>
    isListedText(t, 'fingerprints.0', 32, 64, (text) => create({ fingerprints: [text] }))
  )
  t.test('audience is 3 to 100 characters', (t) => isText(t, 'audience', 3, 100, (audience) => create({ audience })))

  t.test('earliestIssuanceTimeAllowed is a number of hours from 0 to 12', async (t) => {
    for (const earliestIssuanceTimeAllowed of [0, 1, 0.5, 11.999, 12]) {
      const answer = await create({ earliestIssuanceTimeAllowed })
      const { status, body } = answer
      t.strictSame([status, body.earliestIssuanceTimeAllowed], [201, earliestIssuanceTimeAllowed])
    }
    for (const earliestIssuanceTimeAllowed of [-1, -0.001, 12.001, 13, 1e308, '1', '', null, true, [1], undefined]) {
      const about = JSON.stringify(earliestIssuanceTimeAllowed)
      refused(t, await create({ earliestIssuanceTimeAllowed }), 400, about, 'earliestIssuanceTimeAllowed')
    }
  })

  t.test('400 says which member is missing', async (t) => {
    for (const name of Object.keys(provider)) {
      refused(t, await create({ [name]: undefined }), 400, name, `${name} is missing.`)
    }
  })

  t.test('409 an issuer that is trusted for this audience already, by either spelling of its url', async (t) => {
    const url = 'https://once.example/base'
    t.equal((await create({ url })).status, 201)
    refused(t, await create({ url }), 409)
    refused(t, await create({ url: `${url}/` }), 409)
    t.equal((await create({ url, audience: 'another audience' })).status, 201)
    const other = await api.createTenant({}, tenant)
    const elsewhere = await api.createTenantProvider({ tenantId: other.body.id }, { ...provider, url })
    t.equal(elsewhere.status, 201, 'in another tenant it is another')
    const found = (await api.listTenantProviders({ tenantId })).body.find((one: { url: string }) => one.url === url)
    t.equal((await api.deleteTenantProvider({ tenantId, tenantProviderId: found.id })).status, 204)
    t.equal((await create({ url })).status, 201, 'and once it is gone it may come again')
  })

  t.test('201 for one of all that are equal and created at once, and 409 for the others', async (t) => {
    for (let round = 0; round < 5; round++) {
      const url = `https://race-${round}.example`
      const [others, honest] = [[url, `${url}/`, url, url], `https://honest-${round}.example`]
      const answers = await Promise.all([...others.map((url) => create({ url })), create({ url: honest })])
      t.equal(answers.pop()?.status, 201, 'whoever creates another one beside')
      t.strictSame(answers.map(({ status }) => status).sort(), [201, 409, 409, 409])
      for (const answer of answers.filter(({ status }) => status === 409)) refused(t, answer, 409)
      const { body: all } = await api.listTenantProviders({ tenantId })
      const made = all.filter((one: { url: string }) => one.url === url)
      t.strictSame(made, [answers.find(({ status }) => status === 201)?.body])
      await api.deleteTenantProvider({ tenantId, tenantProviderId: made[0].id })
      t.equal((await create({ url })).status, 201, 'and it may come again')
    }
  })
})

t.test('policies', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(api)
  const create = (parts: object) => api.createTenantProviderPolicy(ids, { ...policy, ...parts })

  t.test('201 answers with what was sent, an id and the times, and nothing else', async (t) => {
    const answer = await create({ id: 'x', tenantProviderId: 'y', createdAt: 'x' })
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), policy)
    t.strictSame((await api.getTenantProviderPolicy({ ...ids, policyId: answer.body.id })).body, answer.body)
  })

  t.test('200 lists those of the trusted issuer in the order they were made', async (t) => {
    const before = (await api.listTenantProviderPolicies(ids)).body
    const more = []
    for (let i = 0; i < 6; i++) more.push((await create({ name: `policy ${i}` })).body)
    const listed = await api.listTenantProviderPolicies(ids)
    t.strictSame([listed.status, listed.body], [200, [...before, ...more]])
    const other = await api.createTenantProvider(ids, { ...provider, audience: 'another' })
    const elsewhere = { ...ids, tenantProviderId: other.body.id }
    t.strictSame((await api.listTenantProviderPolicies(elsewhere)).body, [], 'of this issuer alone')
    refused(t, await api.getTenantProviderPolicy({ ...elsewhere, policyId: more[0].id }), 404, 'of another issuer')
    refused(t, await api.deleteTenantProviderPolicy({ ...elsewhere, policyId: more[0].id }), 404, 'of another issuer')
    t.equal((await api.getTenantProviderPolicy({ ...ids, policyId: more[0].id })).status, 200)
  })

  t.test('name is 3 to 255 characters', (t) => isText(t, 'name', 3, 255, (name) => create({ name })))
  t.test('description is 10 to 100 characters', (t) =>
    isText(t, 'description', 10, 100, (description) => create({ description }))
  )
  t.test('audience is 3 to 100 characters', (t) => isText(t, 'audience', 3, 100, (audience) => create({ audience })))

  t.test('conditions are 1 to 5', async (t) => {
    const [condition] = policy.conditions
    for (const count of [1, 5]) {
      const conditions = OPERATORS.concat('stringLike')
        .slice(0, count)
        .map((operator, i) => ({ key: `key-${i}`, operator, value: `value ${i}*` }))
      const answer = await create({ conditions })
      t.strictSame([answer.status, answer.body.conditions], [201, conditions], `${count}, in their order`)
    }
    for (const conditions of [[], Array(6).fill(condition), null, condition, 'x', [null], ['x'], [[]], undefined]) {
      refused(t, await create({ conditions }), 400, JSON.stringify(conditions), 'conditions')
    }
  })

  t.test('a condition has a key, an operator and a value, and nothing else', async (t) => {
    const [condition] = policy.conditions
    const conditionOf = (parts: object) => create({ conditions: [{ ...condition, ...parts }] })
    for (const name of ['key', 'operator', 'value']) {
      refused(t, await conditionOf({ [name]: undefined }), 400, name, `conditions.0.${name} is missing.`)
    }
    for (const operator of OPERATORS) {
      const answer = await conditionOf({ operator })
      t.strictSame([answer.status, answer.body.conditions], [201, [{ ...condition, operator }]])
    }
    for (const operator of [
      '',
      'StringEquals',
      'stringequals',
      'numericEquals',
      'stringEquals ',
      '__proto__',
      null,
      1
    ]) {
      refused(t, await conditionOf({ operator }), 400, JSON.stringify(operator), 'conditions.0.operator')
    }
    t.strictSame((await conditionOf({ extra: 1 })).body.conditions, [condition])
    const second = await create({ conditions: [condition, { ...condition, key: '' }] })
    refused(t, second, 400, 'each of them counts', 'conditions.1.key')
  })

  t.test('a key is 1 to 10 characters', (t) =>
    isListedText(t, 'conditions.0.key', 1, 10, (key) => create({ conditions: [{ ...policy.conditions[0], key }] }))
  )
  t.test('a value is 1 to 100 characters', (t) =>
    isListedText(t, 'conditions.0.value', 1, 100, (value) =>
      create({ conditions: [{ ...policy.conditions[0], value }] })
    )
  )
})

t.test('204', async (t) => {
  const { api } = await startTokensApp(t, { LIMITS: 'off' })
  const validate = (ids: Record<string, string>) =>
    api.validateToken(ids, { tenantProviderPolicyId: ids.policyId, token: 'x.y.z' })

  t.test('204 a policy goes, and nothing else', async (t) => {
    const ids = await makeOneOfEach(api)
    const answer = await api.deleteTenantProviderPolicy(ids)
    t.strictSame([answer.status, answer.body], [204, ''])
    for (const id of ['getTenantProviderPolicy', 'deleteTenantProviderPolicy'] as const) {
      refused(t, await api[id](ids), 404, id)
    }
    refused(t, await validate(ids), 404, 'validateToken')
    t.strictSame((await api.listTenantProviderPolicies(ids)).body, [])
    t.equal((await api.getTenantProvider(ids)).status, 200)
  })

  t.test('204 a trusted issuer goes with its policies, and no other’s', async (t) => {
    const ids = await makeOneOfEach(api)
    const { body: other } = await api.createTenantProvider(ids, { ...provider, audience: 'another' })
    const elsewhere = { ...ids, tenantProviderId: other.id }
    const { body: kept } = await api.createTenantProviderPolicy(elsewhere, policy)
    const answer = await api.deleteTenantProvider(ids)
    t.strictSame([answer.status, answer.body], [204, ''])
    for (const id of ['getTenantProvider', 'listTenantProviderPolicies', 'getTenantProviderPolicy'] as const) {
      refused(t, await api[id](ids), 404, id)
    }
    refused(t, await validate(ids), 404, 'validateToken')
    refused(t, await api.deleteTenantProvider(ids), 404, 'again')
    t.strictSame((await api.listTenantProviders(ids)).body, [other])
    t.strictSame((await api.listTenantProviderPolicies(elsewhere)).body, [kept])
    t.equal((await validate({ ...elsewhere, policyId: kept.id })).status, 400, 'a policy that is there is looked at')
  })

  t.test('204 a tenant goes with all that it had', async (t) => {
    const ids = await makeOneOfEach(api)
    const answer = await api.deleteTenant(ids)
    t.strictSame([answer.status, answer.body], [204, ''])
    const all = ['getTenant', 'listTenantProviders', 'getTenantProvider', 'listTenantProviderPolicies'] as const
    for (const id of [...all, 'getTenantProviderPolicy', 'deleteTenantProvider', 'deleteTenant'] as const) {
      refused(t, await api[id](ids), 404, id)
    }
    refused(t, await validate(ids), 404, 'validateToken')
    t.equal((await api.getProvider(ids)).status, 200, 'a provider is none of its things')
  })
})

t.test('400 and 404 validateToken, before any token is looked at', async (t) => {
  const { api } = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(api)
  const other = await makeOneOfEach(api)
  const right = { tenantProviderPolicyId: ids.policyId, token: 'x.y.z' }
  const validate = (parts: object) => api.validateToken(ids, { ...right, ...parts })
  for (const name of ['tenantProviderPolicyId', 'token']) {
    refused(t, await validate({ [name]: undefined }), 400, name, `${name} is missing.`)
    for (const value of ['', null, 5, true, ['x'], {}]) refused(t, await validate({ [name]: value }), 400, name, name)
  }
  refused(t, await validate({ token: 'x'.repeat(16_385) }), 400, 'too long', /^token must NOT/)
  for (const tenantProviderPolicyId of [other.policyId, ids.tenantProviderId, 'x', '__proto__']) {
    refused(t, await validate({ tenantProviderPolicyId }), 404, String(tenantProviderPolicyId))
  }
  const answer = await validate({ token: 'x'.repeat(16_384) })
  t.equal(answer.status, 400)
  t.match(answer.body, { code: 'invalid_token', message: /\.$/ })
})

everyOperation(t, [
  'listTenants',
  'createTenant',
  'getTenant',
  'deleteTenant',
  'listTenantProviders',
  'createTenantProvider',
  'getTenantProvider',
  'deleteTenantProvider',
  'listTenantProviderPolicies',
  'createTenantProviderPolicy',
  'getTenantProviderPolicy',
  'deleteTenantProviderPolicy',
  'validateToken'
])

/** Does the same as isText for a text inside a list; its path names it and leads to it. */
function isListedText(
  t: Parameters<typeof isText>[0],
  place: string,
  shortest: number,
  longest: number,
  ask: (value: unknown) => Promise<Answer>
): Promise<void> {
  const kept = ({ body }: Answer) => place.split('.').reduce((inner, key) => inner?.[key], body)
  return isText(t, place, shortest, longest, ask, kept)
}
