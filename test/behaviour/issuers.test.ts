/**
 * Issuers as relying parties see them: clients of other authors verify tokens with what discovery finds by path, by
 * host and on a custom domain, and find nothing after the issuer is deleted. The keys of an issuer rotate by schedule and
 * on command: tokens verify for their whole life, and no token carries a kid that a relying party may not know yet.
 */
import { createPrivateKey } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { rotateIssuerKey } from '../../src/cli/keys.js'
import { isFault } from '../../src/core/fault.js'
import { createKeyring } from '../../src/core/secrets/keyring.js'
import { openSigningKey } from '../../src/core/tokens/signing-key.js'
import { GRANTD_SECRET, PATIENT, type TestClock } from '../support/app.js'
import { BY } from '../support/audit.js'
import { startDnsServer } from '../support/dns-server.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { runProgram } from '../support/programs.js'
import { startRedis } from '../support/redis-server.js'
import {
  DOCUMENTS,
  type Fetch,
  issuerOf,
  kidOf,
  mint,
  publishedKids,
  startListeningApp,
  verify,
  verifyAccessToken
} from '../support/relying-party.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { type Ids, makeOneOfEach, startTokensApp, type TokensApp } from '../support/tokens-client.js'

const BASE_DOMAIN = 'tokens.example.com'
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const PUBLIC_MEMBERS = {
  RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'],
  ES256: ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
  EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x']
}

/** Requests a public document under a host; `at` is the path before the well-known part. */
const ask = ({ send }: TokensApp, host: string, name: string, at = '', headers: Record<string, string> = {}) =>
  send({ method: 'GET', url: `${at}/.well-known/${name}`, headers: { ...headers, host } })

for (const [alg, members] of Object.entries(PUBLIC_MEMBERS)) {
  t.test(`by path, signed with ${alg}`, async (t) => {
    const { api, clock, publicUrl, fetch } = await startListeningApp(t, { PROVIDER_SIGNING_ALG: alg })
    const [ids, other] = [await makeOneOfEach(api), await makeOneOfEach(api)]
    const issuer = `${publicUrl}/${ids.providerId}`
    const token = await mint(api, ids)

    await t.test('a token verifies through discovery, whatever its type and form', async (t) => {
      await verify(t, token, issuer, globalThis.fetch as Fetch, clock())
      await verifyAccessToken(token, issuer, globalThis.fetch as Fetch)
      const wishes = [{ audienceAsArray: true }, { useJwtType: true }, { expiresIn: 1 }, { forceDefaultDomain: true }]
      for (const wish of wishes) await verify(t, await mint(api, ids, wish), issuer, fetch, clock())
    })

    await t.test('and no other does: of another provider, tampered with, too early, too late', async (t) => {
      const foreign = await mint(api, other)
      await t.rejects(verify(t, foreign, issuer, fetch, clock()), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
      const [header = '', payload = '', signature = ''] = token.split('.')
      const claims = Buffer.from(JSON.stringify({ ...decodeJwt(token), sub: 'root' })).toString('base64url')
      const later = (await mint(api, ids)).split('.')[2]
      for (const forged of [`${header}.${claims}.${signature}`, `${header}.${payload}.${later}`]) {
        const problem = { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' }
        await t.rejects(verify(t, forged, issuer, fetch, clock()), problem)
      }
      await t.rejects(verify(t, token, issuer, fetch, clock() + 3_600_000), { code: 'ERR_JWT_EXPIRED' })
      // Relying parties whose clocks are slow, and who allow for nothing, take a token that was just made.
      for (const slowMs of [2_000, 5_000, 30_000]) await verify(t, token, issuer, fetch, clock() - slowMs)
      await t.rejects(verify(t, token, issuer, fetch, clock() - 32_000), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })
    })

    await t.test('the documents say what they should, and nothing private', async (t) => {
      const answers = await Promise.all(DOCUMENTS.map((name) => fetch(`${issuer}/.well-known/${name}`)))
      for (const { status, headers } of answers) {
        const [type, cache, sniff] = ['content-type', 'cache-control', 'x-content-type-options'].map((name) =>
          headers.get(name)
        )
        t.strictSame([status, type, cache, sniff], [200, 'application/json', 'public, max-age=300', 'nosniff'])
      }
      const [metadata, one, two] = await Promise.all(answers.map((answer) => answer.json()))
      t.strictSame(metadata, {
        issuer,
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [alg],
        claims_supported: ['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'client_id']
      })
      t.strictSame(one, two, 'the two names are of one key set')
      t.equal(one.keys.length, 1)
      t.strictSame(Object.keys(one.keys[0]).sort(), members)
      t.match(one.keys[0], { alg, use: 'sig', kid: kidOf(token) })
    })

    await t.test('they are under the one path that is the provider’s, and can only be read', async (t) => {
      const { providerId = '' } = ids
      const others = [providerId.toUpperCase(), `${providerId}x`, `x${providerId}`, `${providerId}/x`]
      for (const name of DOCUMENTS) {
        for (const id of [...others, providerId.slice(1), UNKNOWN, 'x', '%00', '__proto__']) {
          const answer = await fetch(`${publicUrl}/${id}/.well-known/${name}`)
          t.strictSame([answer.status, answer.headers.get('cache-control')], [404, 'no-store'], `${name} of ${id}`)
        }
        const url = `${issuer}/.well-known/${name}`
        t.equal((await fetch(`${url}/`)).status, 404, 'a slash more')
        const { length } = await (await fetch(url)).text()
        const head = await fetch(url, { method: 'HEAD' })
        t.strictSame([head.status, head.headers.get('content-length'), await head.text()], [200, `${length}`, ''])
        const post = await fetch(url, { method: 'POST' })
        t.strictSame([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
        t.match(await post.json(), { code: 'method_not_allowed', message: String })
      }
      const encoded = `%${providerId.charCodeAt(0).toString(16)}${providerId.slice(1)}`
      const answer = await fetch(`${publicUrl}/${encoded}/.well-known/openid-configuration`)
      t.ok(answer.status === 404 || (await answer.json()).issuer === issuer, 'no spelling makes another issuer')
    })
  })
}

t.test('by path, where PUBLIC_URL has a path of its own', async (t) => {
  const { api, clock, publicUrl, fetch } = await startListeningApp(t, { path: '/base' })
  const ids = await makeOneOfEach(api)
  const token = await mint(api, ids)
  t.equal(issuerOf(token), `${publicUrl}/${ids.providerId}`)
  t.match(publicUrl, /\/base$/)
  await verify(t, token, issuerOf(token), fetch, clock())
})

t.test('by host, and on a custom domain', async (t) => {
  const dns = await startDnsServer(t)
  const variables = { TOKENS_BASE_DOMAIN: BASE_DOMAIN, DNS_RESOLVER: dns.address }
  const service = await startListeningApp(t, variables)
  const { api, clock, fetch, publicUrl } = service
  const ids = await makeOneOfEach(api)
  const byHost = `https://${ids.providerId}.${BASE_DOMAIN}`
  const token = await mint(api, ids)

  await t.test('the host under the base domain is the issuer, and its documents are found there', async (t) => {
    t.equal(issuerOf(token), byHost)
    await verify(t, token, byHost, fetch, clock())
    await verifyAccessToken(token, byHost, fetch)
    for (const host of [`${ids.providerId}.${BASE_DOMAIN}:8443`, `${ids.providerId}.${BASE_DOMAIN}`.toUpperCase()]) {
      const { status, body, headers } = await ask(service, host, 'openid-configuration')
      t.strictSame([status, body.issuer], [200, byHost], `${host}: a spelling makes no other issuer`)
      t.strictSame([headers['content-type'], headers['cache-control']], ['application/json', 'public, max-age=300'])
    }
  })

  await t.test('a verified domain is the issuer, unless the default is asked for', async (t) => {
    const { body: domain } = await api.addDomain(ids, { domain: 'id.acme.example' })
    const place = { ...ids, domainId: domain.id }
    t.equal(issuerOf(await mint(api, ids)), byHost, 'not before it is verified')
    await t.rejects(verify(t, token, 'https://id.acme.example', fetch, clock()), 'and nothing is found there')
    dns.publish(domain.challengeName, domain.challenge)
    t.equal((await api.verifyDomain(place)).body.verified, true)

    const custom = await mint(api, ids)
    t.equal(issuerOf(custom), 'https://id.acme.example')
    await verify(t, custom, 'https://id.acme.example', fetch, clock())
    await verifyAccessToken(custom, 'https://id.acme.example', fetch)
    for (const [wish, issuer] of [
      [{ forceDefaultDomain: true }, byHost],
      [{ forceDefaultDomain: false }, 'https://id.acme.example']
    ] as const) {
      const wished = await mint(api, ids, wish)
      t.equal(issuerOf(wished), issuer)
      await verify(t, wished, issuer, fetch, clock())
    }
    await verify(t, token, byHost, fetch, clock())
    const { body } = await ask(service, 'ID.Acme.example:443', 'openid-configuration')
    t.equal(body.issuer, 'https://id.acme.example')
  })

  await t.test('each host names itself, and all of them have one key set', async (t) => {
    const path = `/${ids.providerId}`
    const hosts = [
      [`${ids.providerId}.${BASE_DOMAIN}`, '', byHost],
      ['id.acme.example', '', 'https://id.acme.example'],
      ['localhost', path, `${publicUrl}${path}`],
      ['evil.example', path, `${publicUrl}${path}`]
    ] as const
    const sets = new Set<string>()
    for (const [host, at, issuer] of hosts) {
      const [metadata, ...keySets] = await Promise.all(DOCUMENTS.map((name) => ask(service, host, name, at)))
      t.strictSame([metadata?.body.issuer, metadata?.body.jwks_uri], [issuer, `${issuer}/.well-known/jwks.json`], host)
      for (const { status, body } of keySets) sets.add(`${status} ${JSON.stringify(body)}`)
    }
    t.equal(sets.size, 1)
  })
})

t.test('which host is whose', async (t) => {
  const dns = await startDnsServer(t)
  const own = 'grants.example.com'
  const publicUrl = `https://${own.toUpperCase()}:8443/base`
  const variables = {
    PUBLIC_URL: publicUrl,
    TOKENS_BASE_DOMAIN: BASE_DOMAIN,
    DNS_RESOLVER: dns.address,
    TRUST_PROXY: '127.0.0.1',
    LIMITS: 'off'
  }
  const service = await startTokensApp(t, variables)
  const { api } = service
  const { providerId } = (await makeOneOfEach(api)) as { providerId: string }
  const [proved, unproved] = await Promise.all(
    ['proved.example', 'unproved.example'].map(async (domain) => (await api.addDomain({ providerId }, { domain })).body)
  )
  dns.publish(proved.challengeName, proved.challenge)
  t.equal((await api.verifyDomain({ providerId, domainId: proved.id })).body.verified, true)

  await t.test('this machine, an address and the host of PUBLIC_URL are the service’s own', async (t) => {
    const names = [
      own,
      own.toUpperCase(),
      `${own}:8443`,
      `${own}:1`,
      'localhost',
      'localhost:3333',
      'grantd',
      'grantd:80'
    ]
    const addresses = ['127.0.0.1', '127.0.0.1:3333', '192.0.2.1', '[::1]', '[::1]:3333', '[2001:db8::1]']
    for (const host of [...names, ...addresses, '[::ffff:127.0.0.1]', '[::ffff:192.0.2.1]:3333']) {
      for (const at of ['', '/base']) {
        for (const name of ['openid-configuration', 'oauth-authorization-server']) {
          const { status, body } = await ask(service, host, name, at)
          t.strictSame([status, body.issuer], [200, publicUrl], `${host} ${name}`)
        }
      }
      t.equal((await ask(service, host, 'jwks.json')).status, 200, host)
      t.equal((await ask(service, host, 'jwks')).status, 404, `${host}: the other name is of providers alone`)
    }
  })

  await t.test(
    'any other host that is no provider’s is the service’s own as well, whatever it is called',
    async (t) => {
      const near = [`x${own}`, `${own}.evil.example`, `www.${own}`, 'example.com', 'localhost.evil.example']
      const inside = [
        'grantd.prod.svc.cluster.local',
        'grantd.prod.svc:3333',
        'ip-10-0-0-1.eu-central-1.compute.internal'
      ]
      const dotted = [`${own}.`, `${own}.:8443`, 'localhost.', 'com.', 'example.com.', 'a..', '..', 'a_b.example']
      const asAddress = ['127.0.0.1.evil.example', '127.0.0.1.nip.io', '1.2.3', '999.1.1.1', '1.2.3.4.5']
      const below = [BASE_DOMAIN, `x.${BASE_DOMAIN}`, `.${BASE_DOMAIN}`, `${UNKNOWN.slice(1)}.${BASE_DOMAIN}`]
      const ofProvider = [
        `${providerId}.evil.example`,
        `x.${providerId}.${BASE_DOMAIN}`,
        `x${providerId}.${BASE_DOMAIN}`,
        `${providerId}x.${BASE_DOMAIN}`,
        `${providerId}.x${BASE_DOMAIN}`,
        `${providerId}.${own}`
      ]
      const custom = [unproved.domain, `www.${proved.domain}`, `x${proved.domain}`, `_grant-challenge.${proved.domain}`]
      const long = `${'a.'.repeat(130)}example`
      const hosts = ['evil.example', 'evil.example:443', ...near, ...inside, ...dotted, ...asAddress, ...below]
      for (const host of [...hosts, ...ofProvider, ...custom, long]) {
        for (const name of ['openid-configuration', 'oauth-authorization-server']) {
          const { status, body } = await ask(service, host, name)
          t.strictSame([status, body.issuer], [200, publicUrl], `${host} ${name}`)
        }
        t.equal((await ask(service, host, 'jwks')).status, 404, `${host}: the other name is of providers alone`)
        for (const url of ['/healthz', '/metrics', '/docs']) {
          t.equal((await service.send({ method: 'GET', url, headers: { host } })).status, 200, `${host} ${url}`)
        }
      }
    }
  )

  await t.test('under a provider’s host nothing but its documents is found, by any method', async (t) => {
    const ofIssuer = [`${providerId}.${BASE_DOMAIN}`, `${providerId}.${BASE_DOMAIN}.:8443`, proved.domain]
    for (const host of [...ofIssuer, `${proved.domain.toUpperCase()}.:443`]) {
      const name = host.replace(/\.?(:\d+)?$/, '').toLowerCase()
      for (const document of DOCUMENTS) t.equal((await ask(service, host, document)).status, 200, `${host} ${document}`)
      t.equal((await ask(service, host, 'openid-configuration')).body.issuer, `https://${name}`, host)
      const post = await service.send({ method: 'POST', url: '/.well-known/jwks', headers: { host } })
      t.strictSame([post.status, post.headers.allow], [405, 'GET, HEAD'], host)
    }
    const nowhere = [...ofIssuer, `${UNKNOWN}.${BASE_DOMAIN}`]
    const others = ['/', '/docs', '/docs/static/swagger-ui.css', '/openapi.json', '/healthz', '/readyz', '/metrics']
    const pages = [
      '/device',
      '/login',
      '/account/clients',
      '/favicon.ico',
      '/nowhere',
      '/base/',
      '/%2e%2e/docs',
      '//docs'
    ]
    const own = ['/oauth/token', '/api/v0/auth/grant/code', '/v1/providers', '/.well-known/oauth-authorization-server']
    const paths = [
      '/base/.well-known/jwks.json',
      `/${providerId}/.well-known/jwks`,
      '/.well-known/',
      '/.well-known/jwks/'
    ]
    for (const host of nowhere) {
      for (const url of [...others, ...pages, ...own, ...paths]) {
        for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
          const { status, body } = await service.send({ method, url, headers: { host, accept: 'text/html' } })
          t.equal(status, 404, `${host} ${method} ${url}`)
          if (method !== 'HEAD') t.match(body, { code: 'not_found' }, `${host} ${method} ${url}`)
        }
      }
    }
    for (const document of DOCUMENTS) {
      t.equal((await ask(service, `${UNKNOWN}.${BASE_DOMAIN}`, document)).status, 404, 'a provider that is not there')
    }
  })

  await t.test('under a provider’s host pages of any origin may read its documents, and ask before', async (t) => {
    const corsOf = (headers: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')))
    const readable = {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'retry-after, x-request-id'
    }
    const allowed = {
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': '*',
      'access-control-max-age': '600'
    }
    for (const host of [`${providerId}.${BASE_DOMAIN}`, proved.domain, `${proved.domain.toUpperCase()}.:443`]) {
      const asking = { host, origin: 'https://any.example' }
      const preflight = {
        ...asking,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'x-trace'
      }
      for (const document of DOCUMENTS) {
        const url = `/.well-known/${document}`
        const asked = await service.send({ method: 'OPTIONS', url, headers: preflight })
        t.strictSame([asked.status, corsOf(asked.headers)], [204, { ...readable, ...allowed }], `${host} ${url}`)
        const { status, headers } = await ask(service, host, document, '', { origin: 'https://any.example' })
        t.strictSame([status, corsOf(headers), headers.vary], [200, readable, undefined], `${host} ${url}`)
        const plain = await service.send({ method: 'OPTIONS', url, headers: asking })
        t.strictSame([plain.status, plain.headers.allow], [405, 'GET, HEAD'], `${host} ${url}: no preflight`)
      }
      for (const url of ['/', '/.well-known/oauth-authorization-server', '/oauth/userinfo', '/api/v0/auth/clients']) {
        const { status, headers } = await service.send({ method: 'OPTIONS', url, headers: preflight })
        t.strictSame([status, corsOf(headers)], [404, {}], `${host} ${url}`)
      }
    }
  })

  await t.test('what a proxy says besides of the host chooses nothing: a cache goes by Host', async (t) => {
    for (const forwarded of [proved.domain, `${providerId}.${BASE_DOMAIN}`, own, 'evil.example']) {
      const headers = { 'x-forwarded-host': forwarded, 'x-forwarded-proto': 'http', forwarded: `host=${forwarded}` }
      for (const host of [proved.domain, `${providerId}.${BASE_DOMAIN}`]) {
        const { status, body } = await ask(service, host, 'openid-configuration', '', headers)
        t.strictSame([status, body.issuer], [200, `https://${host}`], `${host} for ${forwarded}`)
      }
      t.equal((await ask(service, 'evil.example', 'jwks', '', headers)).status, 404, `evil.example for ${forwarded}`)
      const { body } = await ask(service, own, 'openid-configuration', '', headers)
      t.equal(body.issuer, publicUrl, `${own} for ${forwarded}`)
    }
  })
})

t.test('without a base domain there are no hosts but custom ones', async (t) => {
  const service = await startTokensApp(t, { PUBLIC_URL: 'https://grants.example.com' })
  const ids = await makeOneOfEach(service.api)
  t.equal(issuerOf(await mint(service.api, ids)), `https://grants.example.com/${ids.providerId}`)
  for (const host of [
    `${ids.providerId}.${BASE_DOMAIN}`,
    `${ids.providerId}.grants.example.com`,
    `${ids.providerId}.`
  ]) {
    t.equal((await ask(service, host, 'jwks')).status, 404, host)
    const { status, body } = await ask(service, host, 'openid-configuration')
    t.strictSame([status, body.issuer], [200, 'https://grants.example.com'], `${host} is nobody’s`)
  }
})

t.test('a provider that is deleted', async (t) => {
  const [dns, redis] = [await startDnsServer(t), await startRedis()]
  t.teardown(() => redis.stop())
  const variables = {
    REDIS_URL: redis.url,
    PUBLIC_URL: 'https://grants.example.com',
    TOKENS_BASE_DOMAIN: BASE_DOMAIN,
    DNS_RESOLVER: dns.address,
    LIMITS: 'off'
  }
  const one = await startTokensApp(t, variables)
  const two = await startTokensApp(t, variables, { testClock: one.clock })
  const ids = await makeOneOfEach(one.api)
  const { body: domain } = await one.api.addDomain(ids, { domain: 'gone.example' })
  dns.publish(domain.challengeName, domain.challenge)
  await one.api.verifyDomain({ ...ids, domainId: domain.id })

  /** Returns the statuses of the issuer's addresses on an instance. */
  const statuses = (service: TokensApp) => {
    const hosts = [
      ['grants.example.com', `/${ids.providerId}`],
      [`${ids.providerId}.${BASE_DOMAIN}`, ''],
      ['gone.example', '']
    ] as const
    return Promise.all(
      hosts.flatMap(([host, at]) => DOCUMENTS.map(async (name) => (await ask(service, host, name, at)).status))
    )
  }
  const all = (status: number) => Array(9).fill(status)
  // A custom domain that is nobody's any more is the service's, which has two of the three documents.
  const gone = [...Array(6).fill(404), ...DOCUMENTS.map((name) => (name === 'jwks' ? 404 : 200))]

  t.strictSame([await statuses(one), await statuses(two)], [all(200), all(200)])
  t.equal((await one.api.deleteProvider(ids)).status, 204)
  t.strictSame(await statuses(one), gone, 'its discovery is gone at once where it was deleted')
  t.equal((await two.by(two.key).createAccessToken(ids)).status, 404, 'nobody gives out a token of it')
  one.clock.advance(1_000)
  t.strictSame(await statuses(two), gone, 'and within a second on every other instance')
  t.strictSame(await redis.client.keys('*signing-keys:*'), [], 'no key of it is left')
})

t.test('what is kept', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startTokensApp(t, { REDIS_URL: redis.url, PROVIDER_SIGNING_ALG: 'RS256', LIMITS: 'off' })
  const { app, api, key } = service
  const ids = await makeOneOfEach(api)
  await mint(api, ids)
  await app.core.issuerKeys.rotate(ids.providerId as string, 'now', BY)
  const held = await everything(redis)
  t.ok(held.length > 2_000, `${held.length} characters in Redis`)

  await t.test('holds no private half that is not sealed', async (t) => {
    const keyring = createKeyring([GRANTD_SECRET])
    const stored = await app.storage.signingKeysOf(ids.providerId as string).list()
    t.equal(stored.length, 2)
    for (const one of stored) {
      const privateKey = createPrivateKey(openSigningKey(one, keyring).privateKey)
      const jwk = privateKey.export({ format: 'jwk' })
      t.ok(held.includes(String(jwk.n)), 'the public half is there')
      const secrets = [jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map((part) =>
        Buffer.from(String(part), 'base64url')
      )
      for (const secret of [...secrets, privateKey.export({ format: 'der', type: 'pkcs8' })]) {
        t.ok(secret.length > 100)
        for (const encoding of ['base64', 'base64url', 'hex', 'latin1'] as const) {
          t.notOk(held.includes(secret.subarray(6, 60).toString(encoding)), encoding)
        }
      }
      const pem = openSigningKey(one, keyring).privateKey.split('\n').slice(1, -2)
      t.ok(pem.length > 20)
      for (const line of pem) t.notOk(held.includes(line))
    }
    t.notOk(/PRIVATE KEY/.test(held))
  })

  await t.test('holds no API key', async (t) => {
    const [, id = '', secret = ''] = key.split('.')
    t.ok(held.includes(id), 'it is known by its id')
    t.notOk(held.includes(secret))
  })
})

t.test('while Redis is away', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const dns = await startDnsServer(t)
  const variables = { REDIS_URL: redis.url, TOKENS_BASE_DOMAIN: BASE_DOMAIN, DNS_RESOLVER: dns.address }
  const service = await startTokensApp(t, variables)
  const ids: Ids = await makeOneOfEach(service.api)
  const places = [
    ['localhost', `/${ids.providerId}`],
    [`${ids.providerId}.${BASE_DOMAIN}`, ''],
    ['evil.example', ''],
    ['known.example', '']
  ] as const
  const { body: domain } = await service.api.addDomain(ids, { domain: 'known.example' })
  dns.publish(domain.challengeName, domain.challenge)
  await service.api.verifyDomain({ ...ids, domainId: domain.id })
  await ask(service, 'known.example', 'jwks')
  const from = async (host: string, url: string) =>
    (await service.send({ method: 'GET', url, headers: { host } })).status
  t.equal(await from('grantd.prod.svc.cluster.local', '/healthz'), 200)
  service.clock.advance(1_000)
  await redis.kill()
  for (const [host, at] of places) {
    for (const name of DOCUMENTS) {
      const { status, body, headers } = await ask(service, host, name, at)
      t.strictSame([status, body.code, headers['cache-control']], [503, 'unavailable', 'no-store'], `${host} ${name}`)
      t.match(headers['retry-after'], /^[1-9]\d*$/)
    }
  }
  t.equal(await from('known.example', '/metrics'), 404, 'a host that was known to be a provider’s has nothing else')
  t.equal(await from('known.example', '/healthz'), 404)
  for (const host of ['grantd.prod.svc.cluster.local', 'localhost', '127.0.0.1']) {
    t.equal(await from(host, '/healthz'), 200, `${host}: nobody is restarted for it`)
    t.equal(await from(host, '/metrics'), 200, host)
    t.equal(await from(host, '/.well-known/%6a%77ks.json'), host.includes('svc') ? 503 : 200, host)
  }
  t.equal(await from('never-seen.example', '/metrics'), 503, 'it may be an issuer’s')
  t.equal(await from('never-seen.example', '/docs'), 503)
  t.equal(await from('never-seen.example', '/healthz'), 200, 'nobody is restarted for that either')
  const headers = { host: 'grantd.prod.svc.cluster.local', 'content-type': 'application/x-www-form-urlencoded' }
  const payload = `grant_type=refresh_token&client_id=mcp&refresh_token=grt_${'a'.repeat(43)}`
  t.match(await service.send({ method: 'POST', url: '/oauth/token', headers, payload }), {
    status: 503,
    body: { error: 'temporarily_unavailable' }
  })
  await redis.start()
  while ((await service.api.listProviders()).status === 503) await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal((await publishedKids(service, ids)).length, 1, 'and once it is back they are found, failures are not kept')
})

t.test('while Redis hangs, a host stays whose it was', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const proxy = await startFaultProxy(redis.port, () => 1)
  t.teardown(() => proxy.close())
  const dns = await startDnsServer(t)
  const variables = { REDIS_URL: proxy.url, TOKENS_BASE_DOMAIN: BASE_DOMAIN, DNS_RESOLVER: dns.address }
  const service = await startTokensApp(t, { ...variables, REDIS_TIMEOUT_MS: '2000', DOCS: 'on' })
  const ids: Ids = await makeOneOfEach(service.api)
  const { body: domain } = await service.api.addDomain(ids, { domain: 'known.example' })
  dns.publish(domain.challengeName, domain.challenge)
  await service.api.verifyDomain({ ...ids, domainId: domain.id })
  const from = async (host: string, url: string) =>
    (await service.send({ method: 'GET', url, headers: { host } })).status
  t.equal(await from('known.example', '/docs/'), 404)
  t.equal(await from('service.example', '/docs/'), 200)
  // Whoever makes hosts up pushes out none of an issuer.
  for (let i = 0; i < 10_001; i++) await from(`made-up-${i}.example`, '/healthz')

  service.clock.advance(1_000)
  const letGo = proxy.hold()
  t.teardown(letGo)
  const cases = [
    ['known.example', '/docs/', 404, 'an issuer’s'],
    ['known.example', '/healthz', 404, 'an issuer’s'],
    ['known.example', '/.well-known/openid-configuration', 503, 'its document'],
    ['made-up-10000.example', '/docs/', 200, 'seen, and nobody’s'],
    ['made-up-10000.example', '/.well-known/openid-configuration', 503, 'it may be an issuer’s by now'],
    ['new.example', '/docs/', 503, 'never seen'],
    ['localhost', '/docs/', 200, 'the host of PUBLIC_URL'],
    ['127.0.0.1', '/docs/', 200, 'an address']
  ] as const
  // Side by side, since most of them wait for Redis until their time is up; and once more, when the instance knows that it hangs.
  for (const when of ['at first', 'later'])
    await Promise.all(
      cases.map(async ([host, url, status, why]) => {
        const startedAt = performance.now()
        t.equal(await from(host, url), status, `${host}${url} ${when}: ${why}`)
        t.ok(performance.now() - startedAt < 10_000, `${host}${url} ${when}: in time`)
      })
    )
  letGo()
})

/** Returns everything that a Redis server holds, as text. */
async function everything({ client }: Awaited<ReturnType<typeof startRedis>>): Promise<string> {
  const texts: string[] = []
  for (const key of await client.keys('*')) {
    const type = await client.type(key)
    texts.push(key)
    if (type === 'hash') texts.push(...Object.entries(await client.hgetall(key)).flat())
    else if (type === 'string') texts.push((await client.get(key)) ?? '')
    else if (type === 'zset') texts.push(...((await client.zrange(key, '0', '-1')) as string[]))
    else if (type === 'stream') texts.push(JSON.stringify(await client.xrange(key, '-', '+')))
    else throw new Error(`${key} is a ${type}`)
  }
  return texts.join('\n')
}

const DAY_MS = 86_400_000
const LONGEST_SECONDS = 172_800
/** The time from the publication of a key to its first signature: the longest caching of a key set, plus a minute. */
const AHEAD_MS = 360_000
/** How long the predecessor stays published after the new key signs: the longest life of a token, plus a minute. */
const STAYS_MS = LONGEST_SECONDS * 1000 + 60_000

/** Fetches the key set of an issuer, and the time until which it may be cached. */
async function fetchKeySet(service: TokensApp, { providerId }: Ids) {
  const { body, headers } = await service.send({
    method: 'GET',
    url: `/${providerId}/.well-known/jwks.json`,
    headers: {}
  })
  const [, seconds] = /max-age=(\d+)/.exec(String(headers['cache-control'])) ?? []
  return { keys: createLocalJWKSet(body as JSONWebKeySet), untilMs: service.clock() + Number(seconds) * 1000 }
}

/** Starts two instances over one Redis with one clock. */
async function startTwo(t: Test, variables: Record<string, string> = {}) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const shared = { REDIS_URL: redis.url, PUBLIC_URL: 'https://grants.example.com', LIMITS: 'off', ...variables }
  const one = await startTokensApp(t, shared)
  const two = await startTokensApp(t, shared, { testClock: one.clock })
  // The key of an owner works on every instance.
  return { redis, one, two: { ...two, clock: one.clock, api: two.by(one.key) } }
}

const seconds = (clock: TestClock) => Math.floor(clock() / 1000)

t.test('by schedule', async (t) => {
  const service = await startListeningApp(t)
  const { api, clock, fetch } = service
  const ids = await makeOneOfEach(api)
  const first = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
  const issuer = issuerOf(first)
  const madeAtMs = clock()

  await t.test('a key is the only one for a day', async (t) => {
    t.strictSame(await publishedKids(service, ids), [kidOf(first)])
    clock.advance(DAY_MS - 1)
    t.strictSame(await publishedKids(service, ids), [kidOf(first)])
    t.equal(kidOf(await mint(api, ids)), kidOf(first))
  })

  let second = ''
  await t.test('then the next one is published, and signs six minutes later', async (t) => {
    // An instance uses the keys that it knows for up to a minute.
    clock.advance(60_000)
    const kids = await publishedKids(service, ids)
    t.equal(kids.length, 2)
    t.equal(kids[0], kidOf(first))
    second = kids[1] as string
    clock.advance(AHEAD_MS - 1)
    t.equal(kidOf(await mint(api, ids)), kidOf(first), 'not a moment earlier')
    const last = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
    clock.advance(1)
    const next = await mint(api, ids)
    t.equal(kidOf(next), second)
    for (const token of [first, last, next]) await verify(t, token, issuer, fetch, clock())
  })

  await t.test('the old one stays published until the last token it signed has ended, and goes then', async (t) => {
    // Nobody asks for this issuer in between, and its keys rotate only when somebody asks.
    const last = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
    t.equal(kidOf(last), second)
    clock.advance(STAYS_MS - 1)
    t.equal((await publishedKids(service, ids))[0], kidOf(first), 'to the millisecond')
    clock.advance(1_000)
    const kids = await publishedKids(service, ids)
    t.notOk(kids.includes(kidOf(first)))
    t.equal(kids[0], second)
    t.ok(clock() - madeAtMs >= 2 * DAY_MS)
  })

  await t.test('where nobody asks for a month, the next key is made once somebody does', async (t) => {
    const before = await publishedKids(service, ids)
    clock.advance(30 * DAY_MS)
    const token = await mint(api, ids)
    t.equal(kidOf(token), before.at(-1), 'the newest one goes on signing meanwhile')
    await verify(t, token, issuer, fetch, clock())
    const kids = await publishedKids(service, ids)
    t.equal(kids.length, 2)
    clock.advance(AHEAD_MS)
    t.equal(kidOf(await mint(api, ids)), kids[1])
  })
})

t.test('by schedule, as it is configured', async (t) => {
  const service = await startTokensApp(t, { PROVIDER_KEY_SECONDS: '3600', LIMITS: 'off' })
  const { api, clock } = service
  const ids = await makeOneOfEach(api)
  t.equal((await publishedKids(service, ids)).length, 1)
  for (let count = 2; count <= 5; count++) {
    clock.advance(3_600_000)
    t.equal((await publishedKids(service, ids)).length, count, 'all of them, while their tokens may live')
  }
})

t.test('keys are generated one at a time, because others sign and verify on the same threads', async (t) => {
  const { app, clock } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: 'ES256', LIMITS: 'off' })
  const { issuers, issuerKeys } = app.core
  const done: string[] = []
  async function create(owner: string): Promise<string[]> {
    try {
      const { id } = await issuers.create(owner, { name: 'Pipelines', description: '' })
      done.push(owner)
      return [id]
    } catch (error) {
      if (!isFault(error) || error.code !== 'overloaded') throw error
      return []
    }
  }

  await t.test('an owner has twenty waiting, and others come between them', async (t) => {
    const made = await Promise.all([...Array.from({ length: 40 }, () => create('ann')), create('bob'), create('carol')])
    t.equal(made.flat().length, 21 + 2, 'the rest is told to come again')
    t.strictSame(done.slice(0, 4).sort(), ['ann', 'ann', 'bob', 'carol'])
  })

  await t.test('what is due has a place beside them, and where there is none the keys stay in use', async (t) => {
    const made = await Promise.all(Array.from({ length: 20 }, () => create('bob')))
    const ids = [...made, ...(await Promise.all(Array.from({ length: 10 }, () => create('carol'))))].flat()
    t.equal(ids.length, 30)
    clock.advance(DAY_MS)
    done.length = 0
    const creations = Array.from({ length: 21 }, () => create('ann'))
    const numbers = async () => {
      const all = await Promise.all(ids.map((id) => issuerKeys.of(id)))
      return all.map((keys) => keys.published().length)
    }
    const twice = (counts: number[]) => counts.filter((count) => count === 2).length
    const first = await numbers()
    t.strictSame([first.length, twice(first)], [30, 20], 'all are answered')
    await Promise.all(creations)
    clock.advance(60_000)
    t.equal(twice(await numbers()), 30, 'and a minute later those that were left have their turn')
  })
})

t.test('48 hours of rotations every hour: whatever was signed verifies until it ends', async (t) => {
  const service = await startTokensApp(t, { PROVIDER_KEY_SECONDS: '3600', LIMITS: 'off' })
  const { api, clock } = service
  const ids = await makeOneOfEach(api)
  const tokens: { token: string; exp: number }[] = []
  const kids = new Set<string>()
  for (let hour = 0; hour < 120; hour++) {
    const token = await mint(api, ids, { expiresIn: LONGEST_SECONDS })
    tokens.push({ token, exp: seconds(clock) + LONGEST_SECONDS })
    kids.add(kidOf(token))
    clock.advance(3_600_000)
    const { keys } = await fetchKeySet(service, ids)
    const living = tokens.filter(({ exp }) => exp > seconds(clock))
    for (const { token } of living) await jwtVerify(token, keys, { currentDate: new Date(clock()) })
  }
  t.ok(kids.size > 100, `${kids.size} keys`)
  const published = (await publishedKids(service, ids)).length
  t.ok(published >= 48 && published <= 52, `${published} of them are still published`)
  const kept = await service.app.storage.signingKeysOf(ids.providerId as string).list()
  t.ok(kept.length <= published + 1, `and ${kept.length} kept`)
})

t.test('no token carries a kid that a key set lacks which may still be kept', async (t) => {
  const { one, two } = await startTwo(t)
  const { clock } = one
  const ids = await makeOneOfEach(one.api)
  clock.advance(1_000)
  await publishedKids(two, ids)
  // The second instance has just read the keys, so it uses the old ones for the longest allowed time.
  await rotateIssuerKey(one.app.core, ids.providerId as string, false)
  const kept: Awaited<ReturnType<typeof fetchKeySet>>[] = []
  const steps = [0, 30_000, 29_999, 1, 998, 1, 1, 28_000, 210_000, 1_000, 59_000, 999, 1, 998, 1, 1, 60_000]
  const used = new Set<string>()
  for (const step of steps) {
    clock.advance(step)
    for (const service of [one, two]) kept.push(await fetchKeySet(service, ids))
    for (const service of [one, two]) {
      const token = await mint(service.api, ids)
      used.add(kidOf(token))
      for (const { keys, untilMs } of kept) {
        if (untilMs > clock()) await t.resolves(jwtVerify(token, keys, { currentDate: new Date(clock()) }))
      }
    }
  }
  t.equal(used.size, 2, 'the new key has come into use')
})

t.test('two instances', async (t) => {
  const { redis, one, two } = await startTwo(t)
  const { clock } = one
  const worlds = await Promise.all(Array.from({ length: 8 }, () => makeOneOfEach(one.api)))

  await t.test('one of them makes the next key, however they are asked', async (t) => {
    for (const ids of worlds) {
      t.strictSame(await publishedKids(one, ids), await publishedKids(two, ids))
      t.equal((await publishedKids(one, ids)).length, 1)
    }
    clock.advance(DAY_MS)
    await Promise.all(
      worlds.flatMap((ids, i) =>
        [one, two].map((service): Promise<unknown> => (i % 2 ? mint(service.api, ids) : publishedKids(service, ids)))
      )
    )
    for (const ids of worlds) {
      const kids = await publishedKids(one, ids)
      t.equal(kids.length, 2)
      t.strictSame(await publishedKids(two, ids), kids)
      const fields = await redis.client.hkeys(`grantd:signing-keys:${ids.providerId}`)
      t.strictSame(fields.sort(), [...kids, 'newest'].sort(), 'nothing is left of the one that lost')
    }
  })

  await t.test('they sign with one key, and change to the next at one time', async (t) => {
    for (const ids of worlds.slice(0, 2)) {
      t.equal(kidOf(await mint(one.api, ids)), kidOf(await mint(two.api, ids)))
    }
    clock.advance(AHEAD_MS)
    for (const ids of worlds.slice(0, 2)) {
      const [, next] = await publishedKids(one, ids)
      t.strictSame([kidOf(await mint(one.api, ids)), kidOf(await mint(two.api, ids))], [next, next])
    }
  })

  await t.test('of providers made by either, each has keys of its own', async (t) => {
    const made = await Promise.all([one, two, one, two].map(({ api }) => makeOneOfEach(api)))
    const kids = await Promise.all(made.map((ids) => publishedKids(two, ids)))
    t.equal(new Set(kids.flat()).size, 4)
  })
})

t.test('on command', async (t) => {
  const { redis, one, two } = await startTwo(t)
  const { clock } = one
  const ids = await makeOneOfEach(one.api)
  const providerId = ids.providerId as string
  const old = await mint(two.api, ids, { expiresIn: LONGEST_SECONDS })
  clock.advance(1_000)

  await t.test('the next key is published within a minute, and signs six minutes later', async (t) => {
    const [line = ''] = await rotateIssuerKey(one.app.core, providerId, false)
    const [, kid, from] = /^([\w-]{16}) signs from (\S+); instances learn of it within a minute$/.exec(line) ?? []
    t.equal(Date.parse(from ?? ''), clock() + AHEAD_MS)
    clock.advance(1_000)
    t.strictSame(await publishedKids(one, ids), [kidOf(old), kid])
    clock.advance(59_000)
    t.strictSame(await publishedKids(two, ids), [kidOf(old), kid])
    t.equal(kidOf(await mint(one.api, ids)), kidOf(old))
    clock.advance(AHEAD_MS - 60_000)
    for (const service of [one, two]) t.equal(kidOf(await mint(service.api, ids)), kid)
  })

  await t.test('with haste it signs at once here, and within a minute everywhere', async (t) => {
    const before = kidOf(await mint(two.api, ids))
    const [line = ''] = await rotateIssuerKey(one.app.core, providerId, true)
    const kid = line.slice(0, 16)
    t.equal(kidOf(await mint(one.api, ids)), kid)
    t.equal(kidOf(await mint(two.api, ids)), before)
    clock.advance(60_000)
    t.equal(kidOf(await mint(two.api, ids)), kid)
    t.strictSame(await publishedKids(two, ids), [kidOf(old), before, kid], 'and the others stay')
  })

  await t.test('what was signed before still verifies, for as long as it lives', async (t) => {
    const { exp = 0 } = JSON.parse(Buffer.from(old.split('.')[1] ?? '', 'base64url').toString())
    clock.advance(exp * 1000 - 1 - clock())
    for (const service of [one, two]) {
      const { keys } = await fetchKeySet(service, ids)
      await t.resolves(jwtVerify(old, keys, { currentDate: new Date(clock()) }))
    }
  })

  await t.test('of a provider that is not there it tells', async (t) => {
    for (const id of ['00000000-0000-4000-8000-000000000000', 'x', '']) {
      await t.rejects(rotateIssuerKey(one.app.core, id, true), { message: `there is no provider ${id}` })
    }
    const gone = await makeOneOfEach(one.api)
    await one.api.deleteProvider(gone)
    await t.rejects(rotateIssuerKey(one.app.core, gone.providerId as string, false), /there is no provider/)
    t.strictSame(await redis.client.keys(`*signing-keys:${gone.providerId}`), [], 'and makes no key for it')
  })

  await t.test('by the program itself, beside the service', async (t) => {
    const env = { ...PATIENT, REDIS_URL: redis.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await runProgram('cli.js', ['providers', ...args], env)
      return { failed: code !== 0, stdout, stderr }
    }
    const fresh = await makeOneOfEach(one.api)
    const id = fresh.providerId as string
    const before = await publishedKids(one, fresh)
    const { failed, stdout, stderr } = await run('rotate-key', id)
    t.strictSame([failed, stderr], [false, ''])
    t.match(stdout, /^[\w-]{16} signs from \d{4}-\S+Z; instances learn of it within a minute\n$/)
    clock.advance(60_000)
    t.strictSame(await publishedKids(one, fresh), [...before, stdout.slice(0, 16)])
    t.match((await run('rotate-key', id, '--now')).stdout, /^[\w-]{16} signs from /)
    const misused = [['rotate-key'], ['rotate', id]]
    const [unknown, ...answers] = await Promise.all([['rotate-key', 'x'], ...misused].map((args) => run(...args)))
    t.match(unknown, { failed: true, stdout: '', stderr: 'grantd: there is no provider x\n' })
    for (const [i, args] of misused.entries()) {
      t.match(
        answers[i],
        { failed: true, stdout: '', stderr: /^usage: grantd providers rotate-key PROVIDER_ID/m },
        args.join(' ')
      )
    }
  })
})

t.test('of several commands at once each has made a key, or says that it has not', async (t) => {
  const { one, two } = await startTwo(t)
  const ids = await makeOneOfEach(one.api)
  const commands = [one, two, one, two].map(({ app }) => rotateIssuerKey(app.core, ids.providerId as string, true))
  const outcomes = await Promise.allSettled(commands)
  const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value[0]?.slice(0, 16)] : []))
  t.ok(made.length >= 1, `${made.length} of them`)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.match(outcome.reason, /another rotation came first; nothing was changed/)
  }
  one.clock.advance(60_000)
  const kids = await publishedKids(one, ids)
  t.strictSame(kids.slice(1).sort(), made.sort(), 'exactly those are there')
})

t.test('a new algorithm comes with the next key, and the old one stays beside it', async (t) => {
  const { redis, one } = await startTwo(t, { PROVIDER_SIGNING_ALG: 'ES256' })
  const ids = await makeOneOfEach(one.api)
  const old = await mint(one.api, ids)
  const variables = { REDIS_URL: redis.url, PUBLIC_URL: 'https://grants.example.com', LIMITS: 'off' }
  const later = await startTokensApp(t, { ...variables, PROVIDER_SIGNING_ALG: 'RS256' }, { testClock: one.clock })
  t.strictSame(
    await publishedKids(later, ids),
    [kidOf(old)],
    'not at once: instances that differ must not outbid each other'
  )
  one.clock.advance(DAY_MS)
  const [first, next] = await publishedKids(later, ids)
  t.equal(first, kidOf(old))
  const { body } = await later.send({
    method: 'GET',
    url: `/${ids.providerId}/.well-known/openid-configuration`,
    headers: {}
  })
  t.strictSame(body.id_token_signing_alg_values_supported, ['ES256', 'RS256'])
  one.clock.advance(AHEAD_MS)
  const token = await mint(later.by(one.key), ids)
  t.equal(kidOf(token), next)
  const { keys } = await fetchKeySet(later, ids)
  await t.resolves(jwtVerify(token, keys, { currentDate: new Date(one.clock()), algorithms: ['RS256'] }))
})

t.test('who asks for the keys of a provider that is gone makes none', async (t) => {
  const { redis, one, two } = await startTwo(t)
  const ids = await makeOneOfEach(one.api)
  await mint(two.api, ids)
  // This is the state that a request meets if its issuer is deleted right after it has read it.
  await one.api.deleteProvider(ids)
  one.clock.advance(60_000)
  for (const { app } of [one, two]) await app.core.issuerKeys.of(ids.providerId as string).catch(() => {})
  t.strictSame(await redis.client.keys(`*signing-keys:${ids.providerId}`), [])
})
