/**
 * The example configurations, as they are, in front of something that tokens protect, over the running service: Debian's nginx and
 * HAProxy, which call GET /oauth/check, and Debian's Apache, which introspects.
 */
import t, { type Test } from 'tap'
import { startExampleApache } from '../support/apache.js'
import { startExampleHaproxy } from '../support/haproxy.js'
import { startExampleNginx } from '../support/nginx.js'
import { freePort } from '../support/ports.js'
import { ask, type Proxied, type ProxyAnswer, startProxied } from '../support/proxied.js'

type Headers = [string, string][]

const bearer = (token: string): Headers => [['authorization', `Bearer ${token}`]]
/** What somebody would like the API to believe, in each writing that some server takes for the same. */
const FORGED: Headers = ['X-Auth-Subject', 'x-auth-subject', 'X-Auth-Client', 'X-Auth-Scope', 'X-Auth-Authorization']
  .flatMap((name) => [name, name.replaceAll('-', '_'), name.replace('-', '_'), name.replace(/-(?=\w+$)/, '_')])
  .map((name) => [name, 'eve'])

/** A key of the cache in memory has 512 bytes at most, and is the token itself unless it is encrypted. */
const CACHED = 'OIDCCacheEncrypt On\nOIDCCryptoPassphrase "for the test"\n'

const seen = ({ status, headers }: ProxyAnswer) => [status, headers['www-authenticate']]
const INVALID = 'Bearer realm="grantd", error="invalid_token"'
const missing = (scope: string) => `Bearer realm="grantd", error="insufficient_scope", scope="${scope}"`

// Each has its own service, so they run side by side.
t.jobs = 2

t.test('by GET /oauth/check', async (t) => {
  const service = await startProxied(t)
  const { apiPort, redis, token } = service
  const grantd = service.service.port
  const [nginx, haproxy] = [await freePort(), await freePort()]
  const { output } = await startExampleNginx(t, nginx, grantd, apiPort)
  const haproxyOutput = await startExampleHaproxy(t, haproxy, grantd, apiPort)

  t.test('nginx, in front of a static site', async (t) => {
    const get = (headers: Headers, path = '/films/') => ask(nginx, path, headers)
    const good = await token()
    t.match(await get(bearer(good)), { status: 200, body: /for tokens with films.read/i })
    t.match(await get(bearer(await token('films.write')), '/'), { status: 200, body: /for everybody who has a token/i })
    t.strictSame(seen(await get(bearer(await token('films.write')))), [403, missing('films.read')])
    t.equal((await get(bearer(good), '/_check')).status, 404, 'the question is nobody’s page')
    await refuses(t, service, get)
    await refusesAtOnce(t, service, get)
  })

  for (const [name, port] of Object.entries({ nginx, haproxy })) {
    t.test(`${name}, in front of an API`, async (t) => {
      const call = (headers: Headers, sent = {}) => ask(port, '/api/films', headers, sent)
      const post = { method: 'POST', body: 'a film' }
      await refuses(t, service, (headers) => call(headers, post))
      await refusesAtOnce(t, service, (headers) => call(headers, post))
      for (const method of ['POST', 'PROPPATCH', 'REPORT']) {
        const answer = await call(bearer(await token('films.read')), { ...post, method })
        t.strictSame(seen(answer), [403, missing('films.write')], method)
      }

      t.test('the API hears what the check says, and nothing that the client says of itself', async (t) => {
        const users = { ann: 'ann', 'アン 1': '%E3%82%A2%E3%83%B3%201' }
        for (const [user, said] of Object.entries(users)) {
          const good = await token('films.read films.write', user)
          t.equal((await call([...FORGED, ...bearer(good)], post)).status, 200)
          const { headers, body } = service.lastAtApi() ?? { headers: {}, body: '' }
          t.equal(body, 'a film')
          t.match(headers, {
            'x-auth-subject': said,
            'x-auth-client': 'box',
            'x-auth-scope': 'films.read films.write',
            'x-auth-authorization': /^[\w-]{36}$/,
            authorization: `Bearer ${good}`
          })
          t.notMatch(JSON.stringify(headers), /eve/)
        }
      })

      t.test('of two tokens none arrives that was not checked', async (t) => {
        const [good, other] = [await token(), 'garbage']
        const said = async (...tokens: string[]) => (await call(tokens.flatMap(bearer), post)).status
        // nginx takes no second one; HAProxy asks about the first, and sends it alone.
        t.strictSame([await said(good, other), await said(other, good)], name === 'nginx' ? [400, 400] : [200, 401])
        if (name === 'haproxy') t.equal(service.lastAtApi()?.headers.authorization, `Bearer ${good}`)
      })

      t.test('bodies go to the API alone, and spoil no later check', async (t) => {
        const good = bearer(await token())
        for (let i = 0; i < 8; i += 1) {
          for (const headers of [[], [['transfer-encoding', 'chunked']]] as Headers[]) {
            const body = 'GET /oauth/check HTTP/1.1\r\n\r\n'
            const sent = { method: 'POST', body }
            t.equal((await call([...headers, ...good], sent)).status, 200)
            t.equal(service.lastAtApi()?.body, body)
            t.equal((await call(bearer('garbage'), sent)).status, 401)
          }
        }
      })

      t.test('an error of the API is its own', async (t) => {
        const answer = await ask(port, '/api/films?status=500', bearer(await token()))
        t.strictSame([answer.status, answer.headers['retry-after'], answer.body], [500, undefined, 'films'])
      })
    })
  }

  t.test('no token is in their logs', async (t) => {
    const good = await token()
    for (const port of [nginx, haproxy]) await ask(port, '/api/films', bearer(good))
    t.notMatch((await output()) + haproxyOutput(), /eyJ/)
  })

  t.test('503 with Retry-After while nobody can tell', async (t) => {
    const good = await token()
    await redis.stop()
    const both = async () => {
      for (const [name, port] of Object.entries({ nginx, haproxy })) {
        const { status, headers } = await ask(port, '/api/films', bearer(good))
        t.match([status, headers['retry-after']], [503, /^\d+$/], name)
      }
    }
    await both()
    await service.service.stop()
    await both()
  })
})

t.test('Apache, by introspection', async (t) => {
  const service = await startProxied(t)
  const { apiPort, token, revoke } = service
  const grantd = service.service.port
  const port = await freePort()
  const output = await startExampleApache(t, port, grantd, apiPort)
  const get = (headers: Headers) => ask(port, '/films', headers)

  t.test('lets through who may, and tells the API who that is', async (t) => {
    for (const [user, said] of Object.entries({ ann: 'ann', 'a b%': 'a%20b%25' })) {
      t.equal((await get([...FORGED, ...bearer(await token('films.read', user))])).status, 200)
      const { headers } = service.lastAtApi() ?? { headers: {} }
      t.match(headers, { 'x-auth-subject': said, 'x-auth-client': 'box', 'x-auth-scope': 'films.read' })
      t.notMatch(JSON.stringify(headers), /eve/)
    }
  })

  t.test('refuses the others', async (t) => {
    const { 'of another resource': other, 'of the service itself': own, ...notTokens } = await service.notForHere()
    for (const [name, one] of Object.entries(notTokens)) t.equal((await get(bearer(one))).status, 401, name)
    t.equal((await get([])).status, 401, 'none')
    // Whatever a valid token lacks, Apache knows one status for it.
    for (const one of [other, own, await token('films.write')]) t.equal((await get(bearer(one ?? ''))).status, 403)
  })

  t.test('a revoked token from the next request on', async (t) => {
    const good = await token()
    for (let i = 0; i < 5; i += 1) t.equal((await get(bearer(good))).status, 200)
    await revoke(good)
    for (let i = 0; i < 5; i += 1) t.equal((await get(bearer(good))).status, 401)
    t.notMatch(await output(), /eyJ/, 'nor is it in its log')
  })

  t.test('without the line that says so it goes on for as long as the token lasts', async (t) => {
    const other = await freePort()
    await startExampleApache(t, other, grantd, apiPort, (conf) =>
      conf
        .replace(/^.*OIDCOAuthTokenIntrospectionInterval -1$/m, '')
        .replace(/^OIDCOAuthClientID/m, (line) => `${CACHED}${line}`)
    )
    const good = await token()
    t.equal((await ask(other, '/films', bearer(good))).status, 200)
    await revoke(good)
    t.equal((await ask(other, '/films', bearer(good))).status, 200)
    t.equal((await get(bearer(good))).status, 401)
  })
})

/** Everything that is no living access token for this API is 401, with what the check says. */
async function refuses(t: Test, { notForHere }: Proxied, send: (headers: Headers) => Promise<ProxyAnswer>) {
  for (const [name, one] of Object.entries(await notForHere())) {
    t.strictSame(seen(await send(bearer(one))), [401, INVALID], name)
  }
  for (const headers of [[], [['authorization', 'Basic YTpi']]] as Headers[]) {
    const [status, challenge] = seen(await send(headers))
    t.match([status, challenge], [401, /^Bearer\b/])
    t.notMatch(challenge, /error/)
  }
}

async function refusesAtOnce(t: Test, { token, revoke }: Proxied, send: (headers: Headers) => Promise<ProxyAnswer>) {
  const good = await token()
  for (let i = 0; i < 3; i += 1) t.equal((await send(bearer(good))).status, 200)
  await revoke(good)
  for (let i = 0; i < 3; i += 1) t.strictSame(seen(await send(bearer(good))), [401, INVALID], 'after its revocation')
}
