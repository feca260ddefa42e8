/**
 * Issuers as relying parties see them: clients of other authors verify tokens with what discovery finds by path, by
 * host and on a custom domain, and find nothing after the issuer is deleted.
 */
import { createPrivateKey } from 'node:crypto'
import { decodeJwt } from 'jose'
import t from 'tap'
import { createKeyring } from '../../src/core/secrets/keyring.js'
import { openSigningKey } from '../../src/core/tokens/signing-key.js'
import { GRANTD_SECRET } from '../support/app.js'
import { startDnsServer } from '../support/dns-server.js'
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
    'any other host has what a provider has there, or nothing, and never what is the service’s',
    async (t) => {
      const near = [`x${own}`, `${own}.evil.example`, `www.${own}`, 'example.com', 'com.', 'localhost.evil.example']
      const asAddress = ['127.0.0.1.evil.example', '127.0.0.1.nip.io', '1.2.3', '999.1.1.1', '1.2.3.4.5']
      const below = [BASE_DOMAIN, `${UNKNOWN}.${BASE_DOMAIN}`, `x.${BASE_DOMAIN}`, `.${BASE_DOMAIN}`]
      const ofProvider = [
        `${providerId}.evil.example`,
        `x.${providerId}.${BASE_DOMAIN}`,
        `x${providerId}.${BASE_DOMAIN}`,
        `${providerId}x.${BASE_DOMAIN}`,
        `${providerId}.x${BASE_DOMAIN}`,
        `${providerId}.${own}`
      ]
      const custom = [unproved.domain, `www.${proved.domain}`, `x${proved.domain}`, `_grant-challenge.${proved.domain}`]
      for (const host of [
        'evil.example',
        'evil.example:443',
        ...near,
        ...asAddress,
        ...below,
        ...ofProvider,
        ...custom
      ]) {
        for (const name of [...DOCUMENTS, 'oauth-authorization-server']) {
          const { status, headers } = await ask(service, host, name)
          t.strictSame([status, headers['cache-control']], [404, 'no-store'], `${host} ${name}`)
        }
      }
      for (const host of [`${providerId}.${BASE_DOMAIN}`, proved.domain]) {
        t.equal((await ask(service, host, 'openid-configuration')).body.issuer, `https://${host}`)
        t.equal((await ask(service, host, 'oauth-authorization-server')).status, 404, `${host}: not this either`)
      }
    }
  )

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

  t.strictSame([await statuses(one), await statuses(two)], [all(200), all(200)])
  t.equal((await one.api.deleteProvider(ids)).status, 204)
  t.strictSame(await statuses(one), all(404), 'its discovery is gone at once where it was deleted')
  t.equal((await two.by(two.key).createAccessToken(ids)).status, 404, 'nobody gives out a token of it')
  one.clock.advance(1_000)
  t.strictSame(await statuses(two), all(404), 'and within a second on every other instance')
  t.strictSame(await redis.client.keys('*signing-keys:*'), [], 'no key of it is left')
})

t.test('what is kept', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startTokensApp(t, { REDIS_URL: redis.url, PROVIDER_SIGNING_ALG: 'RS256', LIMITS: 'off' })
  const { app, api, key } = service
  const ids = await makeOneOfEach(api)
  await mint(api, ids)
  await app.core.issuerKeys.rotate(ids.providerId as string, 'now')
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
  const service = await startTokensApp(t, { REDIS_URL: redis.url, TOKENS_BASE_DOMAIN: BASE_DOMAIN })
  const ids: Ids = await makeOneOfEach(service.api)
  const places = [
    ['localhost', `/${ids.providerId}`],
    [`${ids.providerId}.${BASE_DOMAIN}`, ''],
    ['evil.example', '']
  ] as const
  await redis.kill()
  for (const [host, at] of places) {
    for (const name of DOCUMENTS) {
      const { status, body, headers } = await ask(service, host, name, at)
      t.strictSame([status, body.code, headers['cache-control']], [503, 'unavailable', 'no-store'], `${host} ${name}`)
      t.match(headers['retry-after'], /^[1-9]\d*$/)
    }
  }
  await redis.start()
  while ((await service.api.listProviders()).status === 503) await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal((await publishedKids(service, ids)).length, 1, 'and once it is back they are found, failures are not kept')
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
    else throw new Error(`${key} is a ${type}`)
  }
  return texts.join('\n')
}
