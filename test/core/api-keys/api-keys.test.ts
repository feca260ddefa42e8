/**
 * API keys: commands make them and show each once. They allow what their rights say until they expire or are revoked, and
 * only digests are stored.
 */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { runApiKeysCommand } from '../../../src/cli/api-keys.js'
import {
  API_KEY_RIGHTS,
  type ApiKey,
  type ApiKeyRight,
  isOwnerName,
  newApiKeyText,
  readApiKeyText,
  toFields
} from '../../../src/core/api-keys/api-key.js'
import { DEVICE_CODE_GRANT } from '../../../src/core/clients/client.js'
import { digestOf } from '../../../src/core/secrets/digest.js'
import { anyCharacter } from '../../support/any-character.js'
import { type Answer, GRANTD_SECRET, PATIENT, startApp, type TestApp, whenReady } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { runProgram } from '../../support/programs.js'
import { startRedis } from '../../support/redis-server.js'
import { DASHBOARD_SECRET } from '../../support/tokens.js'

const DAY_MS = 86_400_000
const INTROSPECTS = { rights: ['introspect'] } as const

t.test('the text of a key', async (t) => {
  t.test('names its account and its record', async (t) => {
    const { id, text } = newApiKeyText('acme')
    t.match(text, /^uga_acme\.[\w-]{16}\.[\w-]{43}$/)
    t.strictSame(readApiKeyText(text), { owner: 'acme', id })
    t.not(newApiKeyText('acme').text, text)
    // One in 64 did, and could be revoked only by who knew how to name it on a command line.
    const first = new Set(Array.from({ length: 5_000 }, () => newApiKeyText('acme').id[0]))
    t.ok(first.has('_') && !first.has('-'), [...first].sort().join(''))
  })

  t.test('whatever else there is, is none, and nothing of it gets any further', async (t) => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => readApiKeyText(text) === undefined),
      { numRuns: 1_000 }
    )
    const { text } = newApiKeyText('acme')
    for (const wrong of [
      text.replace('uga_', 'ugb_'),
      ` ${text}`,
      `${text}\n`,
      `${text}=`,
      text.slice(0, -1),
      text.replace('acme', 'Acme'),
      text.replace('acme', 'a{c}:e'),
      text.replace('acme', '-acme'),
      text.replace('acme', ''),
      text.replaceAll('.', '_')
    ]) {
      t.equal(readApiKeyText(wrong), undefined, wrong.replace(/[\w-]{43}$/, '…'))
    }
  })

  t.test('an account has a name of letters, digits and hyphens', async (t) => {
    for (const name of ['a', 'acme', 'acme-2', '0', 'x'.repeat(63)]) t.ok(isOwnerName(name), name)
    for (const name of ['', '-', 'a-', '-a', 'A', 'a.b', 'a b', 'ä', 'x'.repeat(64), 'a\n', '__proto__']) {
      t.notOk(isOwnerName(name), name)
    }
  })
})

/** What each right is for, by an operation that answers with this status to a key that has it. */
const USES: Partial<Record<ApiKeyRight, (service: TestApp, token: string) => Promise<Answer>>> = {
  tokens: ({ call }, token) => call('GET', '/v1/providers', { token }),
  introspect: (service, token) => introspect(service, token, 'x'),
  'connected-accounts': ({ call }, token) => call('GET', `/api/v0/oauthAccounts/${randomUUID()}/accessToken`, { token })
}
const GRANTED = { tokens: 200, introspect: 200, 'connected-accounts': 404 }
/** How each surface refuses a key without the right. */
const REFUSED = {
  tokens: { code: 'forbidden', message: 'The API key does not have the right tokens.' },
  introspect: { error: 'insufficient_scope', error_description: 'The API key does not have the right introspect.' },
  'connected-accounts': { error: 'Access Forbidden' }
}

/** The rights that a key turns out to have. Every refusal is checked. */
async function rightsIn(t: Test, service: TestApp, key: string): Promise<string[]> {
  const has: string[] = []
  for (const right of ['tokens', 'introspect', 'connected-accounts'] as const) {
    const { status, body, headers } = await (USES[right] as NonNullable<(typeof USES)['tokens']>)(service, key)
    if (status === GRANTED[right]) has.push(right)
    else t.strictSame([status, body], [403, REFUSED[right]], `403 ${right}`)
    if (right === 'introspect' && status === 403)
      t.equal(headers['www-authenticate'], 'Bearer realm="grantd", error="insufficient_scope"')
  }
  return has
}

/** Introspects a token as a back end with an API key. */
function introspect({ call }: TestApp, key: string, token: string) {
  return call('POST', '/oauth/introspect', { token: key, body: { token } })
}

async function accessTokenOf({ call, decide }: TestApp, scope = 'openid offline_access') {
  const { body } = await call('POST', '/oauth/device_authorization', { body: { client_id: 'cli', scope } })
  await decide(body.user_code, 'alice')
  const request = { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code: body.device_code }
  return (await call('POST', '/oauth/token', { body: request })).body
}

async function introspection(t: Test, service: TestApp): Promise<void> {
  const { app, clock } = service
  const tokens = await accessTokenOf(service)

  t.test('200 an access token of any client, to a key; a refresh token to none', async (t) => {
    const { text } = await app.core.apiKeys.create('acme', INTROSPECTS, BY)
    const { status, body } = await introspect(service, text, tokens.access_token)
    t.equal(status, 200)
    t.match(body, {
      active: true,
      client_id: 'cli',
      sub: 'alice',
      token_type: 'Bearer',
      scope: 'openid offline_access'
    })
    t.strictSame((await introspect(service, text, tokens.refresh_token)).body, { active: false })
    t.strictSame((await introspect(service, text, 'x')).body, { active: false })
    t.strictSame((await introspect(service, text, text)).body, { active: false }, 'a key is no token')
  })

  t.test('401 a key that is revoked, expired, changed or unknown, and says so as RFC 6750 does', async (t) => {
    const [revoked, expired, good] = await Promise.all([
      app.core.apiKeys.create('acme', INTROSPECTS, BY),
      app.core.apiKeys.create('acme', { ...INTROSPECTS, expiresInMs: 60_000 }, BY),
      app.core.apiKeys.create('acme', { ...INTROSPECTS, label: 'good' }, BY)
    ])
    t.equal((await introspect(service, expired.text, 'x')).status, 200, 'until it expires')
    t.equal((await introspect(service, revoked.text, 'x')).status, 200, 'until it is revoked')
    clock.advance(60_000)
    const first = await app.core.apiKeys.revoke('acme', revoked.key.id, BY)
    clock.advance(1)
    t.equal(
      (await app.core.apiKeys.revoke('acme', revoked.key.id, BY))?.revokedAtMs,
      first?.revokedAtMs,
      'the first time stays'
    )
    const changed = `${good.text.slice(0, -1)}${good.text.endsWith('A') ? 'B' : 'A'}`
    const elsewhere = good.text.replace('acme', 'other')
    for (const text of [
      revoked.text,
      expired.text,
      changed,
      elsewhere,
      newApiKeyText('acme').text,
      'x',
      tokens.id_token
    ]) {
      const { status, body, headers } = await introspect(service, text, tokens.access_token)
      t.equal(status, 401)
      t.equal(body.error, 'invalid_token')
      t.equal(headers['www-authenticate'], 'Bearer realm="grantd", error="invalid_token"')
    }
    t.equal((await introspect(service, good.text, 'x')).status, 200)
    t.equal(await app.core.apiKeys.revoke('other', good.key.id, BY), undefined, 'somebody else cannot revoke it')
  })

  t.test('401 a key anywhere else', async (t) => {
    const { text } = await app.core.apiKeys.create('acme', INTROSPECTS, BY)
    t.equal((await service.call('GET', '/auth/clients', { token: text })).status, 401)
    t.equal((await service.call('GET', '/oauth/userinfo', { token: text })).status, 401)
    const body = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    t.equal((await service.call('POST', '/oauth/token', { token: text, body })).status, 401)
  })

  t.test('403 a key without the right, whatever else it may', async (t) => {
    t.strictSame(await rightsIn(t, service, (await app.core.apiKeys.create('acme', {}, BY)).text), ['tokens'], 'unsaid')
    for (const right of API_KEY_RIGHTS) {
      const { text, key } = await app.core.apiKeys.create('acme', { rights: [right] }, BY)
      t.strictSame(key.rights, [right])
      t.strictSame(await rightsIn(t, service, text), right.startsWith('admin') ? [] : [right], right)
    }
    const { text } = await app.core.apiKeys.create('acme', { rights: ['connected-accounts', 'tokens'] }, BY)
    t.strictSame(await rightsIn(t, service, text), ['tokens', 'connected-accounts'], 'two')
  })

  t.test('a refusal is no use of the key, and a key that ended is 401 before it is 403', async (t) => {
    const { text, key } = await app.core.apiKeys.create('refused', {}, BY)
    t.equal((await introspect(service, text, 'x')).status, 403)
    t.equal((await app.core.apiKeys.list('refused'))[0]?.lastUsedAtMs, undefined)
    await app.core.apiKeys.revoke('refused', key.id, BY)
    t.equal((await introspect(service, text, 'x')).status, 401)
  })

  t.test('a key of the time before rights can do what it could', async (t) => {
    const { text, id } = newApiKeyText('acme')
    const [times, none] = [{ createdAtMs: clock(), expiresAtMs: undefined, lastUsedAtMs: undefined }, undefined]
    const key: ApiKey = {
      owner: 'acme',
      id,
      digest: digestOf(text),
      label: none,
      revokedAtMs: none,
      ...times,
      rights: []
    }
    const { rights: _, ...fields } = toFields(key)
    await app.storage.apiKeys.create('acme', id, fields, clock() + DAY_MS)
    t.strictSame(await rightsIn(t, service, text), ['tokens', 'introspect', 'connected-accounts'])
    t.equal((await app.core.apiKeys.setRights('acme', id, ['introspect'], BY))?.id, id)
    t.strictSame(await rightsIn(t, service, text), ['introspect'], 'until it is given others')
    await app.storage.apiKeys.change('acme', id, { set: { rights: 'films:read,introspect' } })
    t.strictSame(await rightsIn(t, service, text), ['introspect'], 'a right of a later version is none here')
    t.equal(await app.core.apiKeys.setRights('other', id, ['tokens'], BY), undefined, 'somebody else has no such key')
  })

  t.test('rights that are not there are refused with a list of those that are', async (t) => {
    const command = (name: string, rest: string[], rights?: string) =>
      runApiKeysCommand(app.core.apiKeys, name, ['acme', ...rest], { rights })
    const all = 'there are tokens, introspect, connected-accounts, admin:read, admin:write'
    const wrong = {
      'tokens,films': 'there is no right "films"',
      Tokens: 'there is no right "Tokens"',
      ' , ': 'name at least one'
    }
    for (const [rights, why] of Object.entries(wrong)) {
      await t.rejects(command('create', [], rights), { message: `--rights: ${why}; ${all}` }, rights)
      await t.rejects(command('rights', ['nothing'], rights), { message: `--rights: ${why}; ${all}` }, rights)
    }
    await t.rejects(command('rights', ['nothing']), { message: /^say what the key may do from now on: --rights / })
    await t.rejects(command('rights', ['nothing'], 'tokens'), { message: 'acme has no key nothing' })
  })

  t.test('keys are listed by account, newest first, and note their use once a minute', async (t) => {
    const one = await app.core.apiKeys.create('lister', { ...INTROSPECTS, label: 'one' }, BY)
    clock.advance(10)
    await app.core.apiKeys.create('lister', { label: 'two' }, BY)
    const labels = async () =>
      (await app.core.apiKeys.list('lister')).map(({ label, lastUsedAtMs }) => [label, lastUsedAtMs])
    t.strictSame(await labels(), [
      ['two', undefined],
      ['one', undefined]
    ])
    const usedAtMs = clock()
    await introspect(service, one.text, 'x')
    clock.advance(59_999)
    await introspect(service, one.text, 'x')
    t.strictSame((await labels())[1], ['one', usedAtMs])
    clock.advance(1)
    await introspect(service, one.text, 'x')
    t.strictSame((await labels())[1], ['one', usedAtMs + 60_000])
    t.strictSame(await app.core.apiKeys.list('nobody'), [])
  })
}

t.test('in memory', async (t) => introspection(t, await startApp(t, { SIGNING_ALG: 'EdDSA' })))

t.test('over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const start = async (t: Test, more: Record<string, string> = {}) =>
    whenReady(await startApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA', ...more }))
  const service = await start(t, { LIMIT_INTROSPECT_PER_MINUTE: '1000' })
  await introspection(t, service)

  t.test('rests as a digest, and every record has an end', async (t) => {
    const { text, key } = await service.app.core.apiKeys.create('resting', { expiresInMs: DAY_MS }, BY)
    const [name = ''] = await redis.client.keys('grantd:api-key:{resting}:*')
    const record = await redis.client.hgetall(name)
    t.equal(record.digest, digestOf(text))
    t.notOk(JSON.stringify(record).includes(text.split('.').at(-1) ?? text))
    t.ok((await redis.client.pttl(name)) > 89 * DAY_MS, 'listed for ninety days after its end')
    await service.app.core.apiKeys.revoke('resting', key.id, BY)
    t.ok((await redis.client.pttl(name)) <= 90 * DAY_MS)
  })

  t.test('a right that one instance takes away is gone on the other', async (t) => {
    const other = await start(t)
    const { text, key } = await service.app.core.apiKeys.create('acme', { rights: ['tokens', 'introspect'] }, BY)
    t.strictSame(await rightsIn(t, other, text), ['tokens', 'introspect'])
    await service.app.core.apiKeys.setRights('acme', key.id, ['tokens'], BY)
    t.strictSame(await rightsIn(t, other, text), ['tokens'])
  })

  t.test('429 a key that asks too often, and no other', async (t) => {
    const limited = await start(t, { REDIS_PREFIX: 'limited:', LIMIT_INTROSPECT_PER_MINUTE: '3' })
    const [one, two] = await Promise.all([1, 2].map(() => limited.app.core.apiKeys.create('acme', INTROSPECTS, BY)))
    for (let i = 0; i < 3; i++) t.equal((await introspect(limited, one?.text ?? '', 'x')).status, 200)
    const refused = await introspect(limited, one?.text ?? '', 'x')
    t.equal(refused.status, 429)
    t.match(refused.headers['retry-after'], /^[1-9]\d?$/)
    t.equal((await introspect(limited, two?.text ?? '', 'x')).status, 200)
  })

  t.test('by command: made, shown once, listed, revoked', async (t) => {
    const good = (
      await run(['create', 'shop', '--rights', ' introspect,tokens', '--label', 'back end', '--expires-in-days', '30'])
    ).stdout
    const [text = ''] = good.split('\n')
    const made =
      /^uga_shop\.\S+\nmade for shop as [\w-]{16}, rights tokens,introspect, expires \S+Z\. It is not shown again\.\n$/
    t.match(good, made)
    t.equal((await introspect(service, text, 'x')).status, 200)
    const id = readApiKeyText(text)?.id ?? ''
    const listed = (await run(['list', 'shop'])).stdout
    t.match(
      listed,
      new RegExp(`^${id}  made \\S+Z, last used \\S+Z, expires \\S+Z, rights tokens,introspect  "back end"\\n$`)
    )
    t.notOk(listed.includes(text))
    t.match(
      (await run(['rights', 'shop', id, '--rights', 'admin:read'])).stdout,
      /, rights admin:read {2}"back end"\n$/
    )
    t.equal((await introspect(service, text, 'x')).status, 403, 'from the next request on')
    t.match((await run(['revoke', 'shop', id])).stdout, / revoked \S+Z, rights admin:read {2}"back end"\n$/)
    t.equal((await introspect(service, text, 'x')).status, 401)
    t.match((await run(['list', 'empty'])).stdout, 'empty has no keys')
  })

  t.test('by command: what cannot be done is said', async (t) => {
    const wrong: [string[], RegExp][] = [
      [['create'], /usage: grantd/],
      [['create', 'Acme'], /an account is 1 to 63 lower-case letters/],
      [['create', 'acme', '--expires-in-days', '0'], /--expires-in-days: a whole number from 1 to 3650/],
      [['create', 'acme', '--expires-in-days', '3651'], /--expires-in-days/],
      [['create', 'acme', '--label', 'x'.repeat(256)], /--label: at most 255/],
      [['revoke', 'acme', 'nothing'], /acme has no key nothing/],
      [['revoke', 'acme'], /usage: grantd/]
    ]
    const runs = await Promise.all(wrong.map(([args]) => run(args)))
    for (const [i, [args, sentence]] of wrong.entries()) {
      const isUsage = sentence.source.startsWith('usage')
      t.equal(runs[i]?.code, isUsage ? 2 : 1, args.join(' ').slice(0, 60))
      t.match(runs[i]?.stderr, sentence)
    }
  })

  /** Runs `grantd api-keys …` to its end, beside the service. */
  function run(args: string[]) {
    const env = { ...PATIENT, REDIS_URL: redis.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
    return runProgram('cli.js', ['api-keys', ...args], env)
  }
})
