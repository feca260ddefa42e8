/**
 * Tokens for one API (RFC 8707): what is asked for, shown, approved and carried is the same on every surface; a token for one
 * API is good at no other, and at this service for nothing.
 */
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { ConfigError, loadConfig } from '../../src/config/load-config.js'
import type { Client } from '../../src/core/clients/client.js'
import { type Resource, targetOf } from '../../src/core/clients/resource.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { isAsShown } from '../../src/routes/pages/consent-ticket.js'
import { de } from '../../src/routes/pages/texts/de.js'
import { en } from '../../src/routes/pages/texts/en.js'
import { es } from '../../src/routes/pages/texts/es.js'
import { fr } from '../../src/routes/pages/texts/fr.js'
import { ja } from '../../src/routes/pages/texts/ja.js'
import { pt } from '../../src/routes/pages/texts/pt.js'
import { oauthRefused } from '../routes/expectations.js'
import { API, CLI, type Credentials, clientsFile, DEVICE_CODE, startOAuthApp } from '../support/oauth-app.js'
import { startRedis } from '../support/redis-server.js'
import { signedIn } from '../support/visitor.js'

const ISSUER = 'http://localhost:3333'
const FILMS = 'https://films.example/v1'
const BOOKS = 'https://books.example:8443'
const SECRET_PLACE = 'https://secret.example'
const TV: Credentials = { client_id: 'tv' }

const films = { identifier: FILMS, name: 'Acme Films', scope: 'films.read films.write', access_token_ttl_seconds: 900 }
const books = { identifier: BOOKS, name: 'Acme Books', scope: 'books.read shared', built_in_clients: true }
const secret = { identifier: SECRET_PLACE, name: 'Nobody’s', scope: 'secret' }
const tv = { client_id: 'tv', client_name: 'Acme TV', scope: 'openid offline_access shared', resources: [FILMS, BOOKS] }
const api = { client_id: 'api', client_secret_digests: [digestOf(API.client_secret ?? '')], grant_types: [] }

const file = (t: Test, resources: object[] = [films, books, secret], clients: object[] = [tv, api]) => ({
  OAUTH_CLIENTS_FILE: clientsFile(t, clients, resources)
})

const claimsOf = (token: string) => {
  const { aud, scope, iat = 0, exp = 0, cid } = decodeJwt(token)
  return { aud, scope, ttl: exp - iat, cid }
}

async function setUp(t: Test, variables: Record<string, string> = {}) {
  const service = await startOAuthApp(t, { ...file(t), ...variables })
  const { post, approve, call, session } = service
  const ask = (client: Credentials, scope?: string, resource?: string | string[]) =>
    post('/oauth/device_authorization', { ...client, scope, resource })
  const redeem = (device_code: string, client: Credentials, resource?: string | string[]) =>
    post('/oauth/token', { ...client, grant_type: DEVICE_CODE, device_code, resource })
  const refresh = (refresh_token: string, resource?: string | string[], scope?: string) =>
    post('/oauth/token', { ...TV, grant_type: 'refresh_token', refresh_token, resource, scope })
  const peek = async (code: string) =>
    (await call('GET', `/auth/grant/peek?user_code=${code}`, { token: await session('ann') })).body
  async function approved(client: Credentials, scope?: string, resource?: string | string[]): Promise<string> {
    const { status, body } = await ask(client, scope, resource)
    t.equal(status, 200)
    await approve(body.user_code)
    return body.device_code
  }
  return { ...service, ask, redeem, refreshFor: refresh, peek, approved }
}

for (const engine of ['memory', 'Redis']) {
  t.test(`in ${engine}`, async (t) => {
    const redis = engine === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const service = await setUp(t, redis && { REDIS_URL: redis.url })
    const { ask, redeem, refreshFor, peek, approved, approve, call, introspect, userinfo, session } = service

    t.test(
      'what is shown is what the token carries, and it can be narrowed to each of what was approved',
      async (t) => {
        const asked = (await ask(TV, 'openid offline_access films.read books.read shared', [FILMS, BOOKS])).body
        t.strictSame((await peek(asked.user_code)).resources, [
          { identifier: FILMS, name: 'Acme Films', host: 'films.example' },
          { identifier: BOOKS, name: 'Acme Books', host: 'books.example:8443' }
        ])
        await approve(asked.user_code)
        for (const wider of [SECRET_PLACE, ISSUER, 'x', `${FILMS}/`, FILMS.toUpperCase(), [FILMS, SECRET_PLACE]]) {
          oauthRefused(t, await redeem(asked.device_code, TV, wider), 400, 'invalid_target')
        }
        const first = (await redeem(asked.device_code, TV)).body
        t.match(claimsOf(first.access_token), { aud: FILMS, scope: 'films.read', ttl: 900 }, 'the first, and its life')
        t.match(first, { scope: 'films.read', id_token: String, refresh_token: String })
        const other = (await redeem(asked.device_code, TV, BOOKS)).body
        t.match(claimsOf(other.access_token), { aud: BOOKS, scope: 'books.read shared', ttl: 3_600 })

        let current = first.refresh_token
        const rounds: [string | string[] | undefined, string, string][] = [
          [undefined, FILMS, 'films.read'],
          [BOOKS, BOOKS, 'books.read shared'],
          [FILMS, FILMS, 'films.read'],
          [[BOOKS, FILMS], BOOKS, 'books.read shared'],
          ['', FILMS, 'films.read']
        ]
        for (const [resource, aud, scope] of rounds) {
          const { status, body } = await refreshFor(current, resource)
          t.equal(status, 200, String(resource))
          t.match(claimsOf(body.access_token), { aud, scope, cid: claimsOf(first.access_token).cid })
          t.equal(body.scope, scope)
          t.match(body, { id_token: String }, 'the ID token goes by what was approved')
          oauthRefused(t, await refreshFor(body.refresh_token, SECRET_PLACE), 400, 'invalid_target')
          current = body.refresh_token
        }
        const fewer = (await refreshFor(current, BOOKS, 'shared films.read')).body
        t.match(
          claimsOf(fewer.access_token),
          { aud: BOOKS, scope: 'shared' },
          'a scope of another resource is left out'
        )
        oauthRefused(t, await refreshFor(fewer.refresh_token, BOOKS, 'films.write'), 400, 'invalid_scope')
      }
    )

    t.test('a token for an API is live at introspection, and good for nothing at the service itself', async (t) => {
      const code = await approved(TV, 'openid offline_access films.read', FILMS)
      const { access_token: token, refresh_token } = (await redeem(code, TV)).body
      t.match((await introspect(token)).body, {
        active: true,
        aud: FILMS,
        iss: ISSUER,
        scope: 'films.read',
        sub: 'ann'
      })
      oauthRefused(t, await userinfo(token), 401, 'invalid_token', 'Bearer realm="grantd", error="invalid_token"')
      const { cid } = claimsOf(token)
      for (const [method, url] of [
        ['GET', '/auth/clients'],
        ['DELETE', `/auth/clients/${cid}`],
        ['GET', '/auth/grant/peek?user_code=BCDF-GHJK']
      ] as const) {
        t.equal((await call(method, url, { token })).status, 401, url)
      }
      const rows = async () => (await call('GET', '/auth/clients', { token: await session('ann') })).body.data
      const row = async () => (await rows()).find(({ id }: { id: string }) => id === cid)
      t.match(await row(), { resources: [FILMS], revoked_at: null })
      t.equal((await service.revoke(token, TV)).status, 200)
      t.strictSame((await introspect(token)).body, { active: false })
      t.match(await row(), { revoked_at: String })
      t.match(await refreshFor(refresh_token), { status: 400, body: { error: 'invalid_grant' } })
    })

    t.test('nothing is asked for beyond the client and its resources', async (t) => {
      for (const resource of ['x', SECRET_PLACE, ISSUER, [FILMS, 'x'], Array.from({ length: 11 }, (_, i) => `${i}`)]) {
        oauthRefused(t, await ask(TV, undefined, resource), 400, 'invalid_target')
      }
      oauthRefused(t, await ask(CLI, undefined, FILMS), 400, 'invalid_target')
      oauthRefused(t, await ask(TV, 'films.read'), 400, 'invalid_scope')
      oauthRefused(t, await ask(TV, 'films.read', BOOKS), 400, 'invalid_scope')
      t.equal((await ask(TV, 'films.read books.read', [FILMS, BOOKS])).status, 200)
    })

    t.test('without a resource the token is for the issuer, and cannot be turned into one for an API', async (t) => {
      const code = await approved(TV, 'openid offline_access shared')
      oauthRefused(t, await redeem(code, TV, FILMS), 400, 'invalid_target')
      const { access_token: token, refresh_token } = (await redeem(code, TV, '')).body
      t.match(claimsOf(token), { aud: ISSUER, scope: 'openid offline_access shared' })
      t.match(await userinfo(token), { status: 200 })
      oauthRefused(t, await refreshFor(refresh_token, FILMS), 400, 'invalid_target')
      t.equal((await refreshFor(refresh_token)).status, 200, 'which was not used up')
    })

    t.test('the JSON dialect takes a scope and resources, as a text or a list', async (t) => {
      const begin = (asked: object) => call('POST', '/auth/grant/code', { body: { client_type: 'mcp', ...asked } })
      for (const resource of [BOOKS, [BOOKS]]) {
        const { body } = await begin({ resource, scope: 'books.read openid' })
        t.match(await peek(body.user_code), { scope: 'books.read openid', resources: [{ name: 'Acme Books' }] })
        await approve(body.user_code)
        const { jwt } = (await service.poll(body.grant_code)).body
        t.match(claimsOf(jwt), { aud: BOOKS, scope: 'books.read', ttl: 2_592_000 })
        t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401)
      }
      for (const [asked, error] of [
        [{ resource: FILMS }, 'The resource is unknown, or not allowed.'],
        [{ resource: ['x'] }, 'The resource is unknown, or not allowed.'],
        [{ scope: 'books.read' }, 'The scope is not allowed, or not written as one.'],
        [{ scope: 5 }, 'scope must be string.'],
        [{ resource: [5] }, 'resource.0 must be string.']
      ] as const) {
        t.match(await begin(asked), { status: 400, body: { error } }, JSON.stringify(asked))
      }
    })

    if (!redis) return
    t.test('what the operator takes away is in no token any more, and nothing else stands in for it', async (t) => {
      const both = await approved(TV, 'offline_access films.read books.read', [FILMS, BOOKS])
      const waiting = await approved(TV, 'films.read', FILMS)
      const shown = (await ask(TV, 'films.read', FILMS)).body
      const { body: held } = await redeem(both, TV)
      const forBooks = (await refreshFor(held.refresh_token, BOOKS)).body
      const variables = { REDIS_URL: redis.url, ...file(t, [books], [{ ...tv, resources: [BOOKS] }, api]) }
      const without = await setUp(t, variables)
      t.strictSame((await without.introspect(held.access_token)).body, { active: false }, 'its tokens')
      t.match(
        (await without.introspect(forBooks.access_token)).body,
        { active: true, aud: BOOKS },
        'but not those of others'
      )
      oauthRefused(t, await without.refreshFor(forBooks.refresh_token), 400, 'invalid_target')
      oauthRefused(t, await without.redeem(waiting, TV), 400, 'invalid_target')
      t.equal((await without.peek(shown.user_code)).resources, undefined)
      const next = await without.refreshFor(forBooks.refresh_token, BOOKS)
      t.match(claimsOf(next.body.access_token), { aud: BOOKS }, 'named, the other one is still there')

      const notHers = { REDIS_URL: redis.url, ...file(t, [films, books], [{ ...tv, resources: [BOOKS] }, api]) }
      const forbidden = await setUp(t, notHers)
      t.strictSame(
        (await forbidden.introspect(held.access_token)).body,
        { active: false },
        'nor if the client may not ask'
      )
      t.match((await introspect(held.access_token)).body, { active: true }, 'where the file is the old one it counts')
    })

    t.test('without resources all that is kept is as the version before keeps it, and so is read', async (t) => {
      const code = await approved(TV, 'openid offline_access')
      const [key = ''] = await redis.client.keys(`*grant:{*}${digestOf(code).slice(2)}`)
      const line = (await redis.client.get(key))?.split('\n')[1] ?? '[]'
      t.equal(JSON.parse(line).length, 11, 'the scope is the last')
      const { access_token, refresh_token } = (await redeem(code, TV)).body
      const { cid } = claimsOf(access_token)
      const keys = (await redis.client.keys(`*${cid}*`)).filter((key) => key.includes('authorized-client:'))
      t.equal(keys.length, 1)
      t.notOk('resources' in (await redis.client.hgetall(keys[0] ?? '')))
      // With a default in the file, what was approved for the issuer stays so.
      const later = await setUp(t, { REDIS_URL: redis.url, ...file(t, [{ ...films, default: true }, books]) })
      t.match(claimsOf((await later.refreshFor(refresh_token)).body.access_token), { aud: ISSUER })
    })
  })
}

t.test(
  'the page names each API by its registered name and its host, in every language, and so does the list',
  async (t) => {
    const service = await setUp(t)
    const { ask } = service
    for (const [language, texts] of Object.entries({ en, de, es, fr, ja, pt })) {
      const { user_code } = (await ask(TV, 'films.read openid', [FILMS, BOOKS])).body
      const ann = await signedIn(service)
      await ann.enter(user_code)
      const page = await ann.get('/device/confirm', { headers: { 'accept-language': language } })
      t.equal(page.status, 200)
      const body = page.body.replaceAll('\u00a0', ' ')
      t.notOk(body.includes('<ul></ul>'), 'no list of nothing')
      const span =
        { en: '30 days', de: '30 Tage', es: '30 días', fr: '30 jours', ja: '30 日', pt: '30 dias' }[language] ?? ''
      for (const [name, host] of [
        ['Acme Films', 'films.example'],
        ['Acme Books', 'books.example:8443']
      ] as const) {
        t.match(body, `<bdi>${texts.rights.act(name, span)}</bdi> <code>${host}</code>`, language)
      }
      t.notOk(body.includes(texts.rights.act('grantd', span)), 'the token does nothing at the service')
      t.match(page.text, `${texts.rights.other} films.read`)
      t.match(page.text, texts.rights.openid)
      await ann.post('/device/confirm', { action: 'approve', same: 'yes' })
      const list = await ann.get('/account/clients', { headers: { 'accept-language': language } })
      t.match(list.text, 'films.example, books.example:8443', language)
    }
  }
)

t.test('who sees other names than before the decision is asked again', async (t) => {
  const client = { name: 'Acme TV', resources: [{ identifier: FILMS, name: 'Acme Films' }] } as unknown as Client
  const shown = { userCode: 'BCDF-GHJK', linked: false, clientId: 'tv', clientName: 'Acme TV' }
  for (const [ticket, expected] of [
    [shown, true],
    [{ ...shown, resources: { [FILMS]: 'Acme Films' } }, true],
    [{ ...shown, resources: { [FILMS]: 'Acme Movies' } }, false],
    [{ ...shown, resources: { [BOOKS]: 'Acme Books' } }, false],
    [{ ...shown, clientName: undefined }, false]
  ] as const) {
    t.equal(isAsShown(ticket, client), expected, JSON.stringify(ticket))
  }
})

t.test('a default resource is what those ask for who may, and name none', async (t) => {
  const { redeem, approved, ask, start, approve, poll, peek, call } = await setUp(t, {
    ...file(t, [films, { ...books, default: true }], [tv, { client_id: 'box', scope: 'openid' }, api])
  })
  t.match(claimsOf((await redeem(await approved(TV), TV)).body.access_token), { aud: BOOKS, scope: '' })
  t.match(claimsOf((await redeem(await approved(TV, 'films.read', FILMS), TV)).body.access_token), { aud: FILMS })
  t.equal((await ask(TV, 'books.read')).status, 200, 'with its scopes')
  const box = { client_id: 'box' }
  t.match(
    claimsOf((await redeem(await approved(box, 'openid'), box)).body.access_token),
    { aud: ISSUER },
    'not who may not'
  )
  const inJson = async (parts?: { scope?: string; resource?: string | string[] }) => {
    const { grant_code, user_code } = await start({}, parts)
    const { resources } = await peek(user_code)
    await approve(user_code)
    return { resources, token: (await poll(grant_code)).body.jwt }
  }
  const { resources, token } = await inJson({ scope: 'books.read' })
  t.match(resources, [{ identifier: BOOKS }], 'and the person is told')
  t.match(claimsOf(token), { aud: BOOKS, scope: 'books.read' })
  for (const parts of [{}, { scope: '', resource: '' }, { resource: [] }, { resource: ['', ''] }]) {
    const plain = await inJson(parts)
    t.notOk(plain.resources)
    t.match(claimsOf(plain.token), { aud: ISSUER, scope: '' }, 'not who names nothing in the dashboard API')
    t.equal((await call('GET', '/auth/clients', { token: plain.token })).status, 200, 'who goes on listing')
    const own = `/auth/clients/${claimsOf(plain.token).cid}`
    t.equal((await call('DELETE', own, { token: plain.token })).status, 200, 'and revoking')
  }
})

t.test('the faults of resources in the file', async (t) => {
  const faultsOf = (resources: object[], clients: object[] = [], variables = {}) => {
    try {
      loadConfig({ ...file(t, resources, clients), ...variables })
      return []
    } catch (error) {
      if (error instanceof ConfigError) return error.faults.map((line) => line.replace('OAUTH_CLIENTS_FILE: ', ''))
      throw error
    }
  }
  const may = [{ client_id: 'a', resources: [FILMS] }]
  const shape = 'resources[0].identifier: expected an absolute URI without fragment, of 255 characters at most'
  const place = 'resources[0].identifier: expected an https URI, or http on loopback, without credentials'
  const self = 'resources[0].identifier: is the URL of this service, which is no resource'
  const oidc =
    'resources[0].scope: openid, profile, email, offline_access concern this service, and are in no token for a resource'
  const identifiers: Record<string, string[]> = {
    'https://api.example/a?b=c': [],
    'http://localhost:8080': [],
    'http://[::1]/': [],
    'https://api.example#': [shape],
    'https://api.example/#part': [shape],
    'api.example': [shape],
    'urn:example:api': [shape],
    'https://api.example/a b': [shape],
    'HTTPS://api.example': [shape],
    [`https://api.example/${'x'.repeat(240)}`]: [shape],
    'http://api.example': [place],
    'https://user:password@api.example': [place],
    'https://:80:80': [place],
    'https://grants.example': [self],
    'https://grants.example/': [self],
    'https://GRANTS.example:443': [self]
  }
  for (const [identifier, faults] of Object.entries(identifiers)) {
    t.strictSame(
      faultsOf([{ identifier, name: 'x' }], [], { PUBLIC_URL: 'https://grants.example' }),
      faults,
      identifier
    )
  }
  const rows: [object[], object[], string[]][] = [
    [[films, films], may, ['resources[1].identifier: is there twice']],
    [[{ ...films, scope: 'a openid' }], [], [oidc]],
    [[{ ...films, scope: 'offline_access' }], [], [oidc]],
    [
      [{ ...films, name: 'a\nb' }],
      [],
      ['resources[0].name: expected at most 64 characters, all of them visible, no space at either end']
    ],
    [[{ identifier: FILMS }], [], ['resources[0].name: is missing']],
    [[{ ...films, audience: 'x' }], [], ['resources[0].audience: is not known']],
    [[{ ...films, default: 'yes' }], [], ['resources[0].default: expected true or false']],
    [
      [{ ...films, access_token_ttl_seconds: 5 }],
      [],
      ['resources[0].access_token_ttl_seconds: expected a whole number of seconds from 60 to 2592000']
    ],
    [[{ ...films, default: true }], [], ['resources[0].default: no client may ask for it, and so none would get it']],
    [
      [
        { ...films, default: true },
        { ...books, default: true }
      ],
      may,
      ['resources[1].default: another one is the default already']
    ],
    [[], may, ['clients[0].resources[0]: is not the identifier of one of the resources']],
    [
      [films],
      [{ client_id: 'a', resources: [FILMS, FILMS] }],
      ['clients[0].resources: expected a list of identifiers of resources, each once']
    ],
    [[films], [{ ...api, resources: [FILMS] }], ['clients[0].resources: need a grant type to ask for them with']],
    [[films, { ...books, default: true }], may, []]
  ]
  for (const [resources, clients, faults] of rows) t.strictSame(faultsOf(resources, clients), faults)

  const all = faultsOf(
    [
      ...[{ ...films, scope: 7, default: true }, 7 as never, { ...films, scope: 'openid' }],
      ...[
        { ...books, default: true, audience: 'x' },
        { ...secret, default: true },
        { identifier: 'http://a.example', name: 'a' }
      ]
    ],
    [
      ...[
        { client_id: 'a', resources: [FILMS, SECRET_PLACE, FILMS] },
        { client_id: 'a', resources: [FILMS, 'https://none.example'] }
      ],
      ...[
        { resources: 'x' },
        'x' as never,
        { client_id: 'cli' },
        { client_id: 'b', scope: 'films.read', optional_scope: 'films.read books' }
      ]
    ]
  )
  t.strictSame(
    all,
    [
      'clients[0].resources: expected a list of identifiers of resources, each once',
      'clients[2].client_id: is missing',
      'clients[2].resources: expected a list of identifiers of resources, each once',
      'clients[3]: expected an object',
      'resources[0].scope: expected at most 50 words of RFC 6749 §3.3, separated by single spaces',
      'resources[1]: expected an object',
      'resources[3].audience: is not known',
      'clients[1].client_id: is there twice',
      'clients[1].resources[1]: is not the identifier of one of the resources',
      'clients[4].client_id: is the name of a built-in client, say "built_in": true to change that one',
      "clients[5].optional_scope: has a scope that is neither the client's nor of a resource of its own",
      'resources[2].identifier: is there twice',
      oidc.replace('[0]', '[2]'),
      'resources[4].default: another one is the default already',
      place.replace('[0]', '[5]')
    ],
    'what is malformed hides nothing of the others'
  )
  t.strictSame(faultsOf([{ ...films, default: true }], 'x' as never), ['clients: expected a list of clients'])
})

t.test('narrowing never widens, whatever is registered, approved and named', async (t) => {
  const all = ['a', 'b', 'c', 'd'].map((name) => `https://${name}.example`)
  const some = fc.uniqueArray(fc.constantFrom(...all), { maxLength: 4 })
  const resourceOf = (identifier: string): Resource => ({
    ...{ identifier, name: identifier, scopes: [], accessTokenTtlSeconds: undefined },
    ...{ isForBuiltInClients: false, isDefault: false }
  })
  const seen = { issuer: 0, resource: 0, refused: 0 }
  fc.assert(
    fc.property(some, some, some, (own, approved, named) => {
      const target = targetOf(own.map(resourceOf), approved, named)
      if (target === 'invalid_target') {
        seen.refused += 1
        const chosen = named[0] ?? approved[0]
        return named.some((one) => !approved.includes(one)) || (chosen !== undefined && !own.includes(chosen))
      }
      if (target === 'issuer') {
        seen.issuer += 1
        return approved.length === 0 && named.length === 0
      }
      seen.resource += 1
      const { identifier } = target
      return approved.includes(identifier) && own.includes(identifier) && identifier === (named[0] ?? approved[0])
    }),
    { numRuns: 2_000 }
  )
  t.ok(seen.issuer > 10 && seen.resource > 10 && seen.refused > 10, JSON.stringify(seen))
})
