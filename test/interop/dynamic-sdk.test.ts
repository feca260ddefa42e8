/**
 * The published clients of the original API, as they are in the registry, read the token of a connection to a real
 * upstream.
 */
import * as sdkApi from '@dynamic-labs/sdk-api'
import * as sdkApiCore from '@dynamic-labs/sdk-api-core'
import t from 'tap'
import { startApp } from '../support/app.js'
import { startIdentityProvider } from '../support/oidc-upstream.js'
import { startRedis } from '../support/redis-server.js'
import { startService } from '../support/service.js'
import { providersFile, signInAt } from '../support/sign-in.js'
import { sessionOf } from '../support/tokens.js'

/**
 * The used parts of these packages. Their own types import without file extensions, which Node.js module resolution
 * does not find.
 */
type Made<T> = new (settings: object) => T
interface Token {
  accessToken: string
  scopes?: string[]
}
interface Users {
  getUserOauthAccessToken(request: { oauthAccountId: string }): Promise<Token>
}
interface EndUser {
  getEndUserOauthAccessToken(request: Mine): Promise<Token>
  getEndUserOauthAccessTokenOptions(request: Mine): Promise<void>
  getEndUserOauthAccessTokenOptionsRaw(request: Mine): Promise<{ raw: Response }>
}
interface Mine {
  environmentId: string
  oauthAccountId: string
}
const { UsersApi, Configuration: UsersConfiguration } = sdkApi as unknown as {
  UsersApi: Made<Users>
  Configuration: Made<object>
}
const { SDKApi, Configuration } = sdkApiCore as unknown as { SDKApi: Made<EndUser>; Configuration: Made<object> }

const PUBLIC_URL = 'https://grants.example'
const ENVIRONMENT_ID = '0f0e0d0c-0b0a-4908-8706-050403020100'
const UNKNOWN = '00000000-0000-4000-8000-000000000000'
const SCOPES = ['openid', 'profile', 'email']

const redis = await startRedis()
t.teardown(() => redis.stop())
const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
const variables = { ENVIRONMENT_ID, REDIS_URL: redis.url, PUBLIC_URL, PROVIDERS_FILE: providersFile(t, [acme.entry()]) }
const service = await startService(t, { ...variables, LOG_LEVEL: 'warn' })
const basePath = `${service.url}/api/v0`

// Users sign in and operators make keys on this application, over the same Redis.
const { app } = await startApp(t, variables)
const enter = async (login: string) => {
  const outcome = await signInAt(app, 'acme', login)
  if (outcome.kind !== 'signed_in') throw new Error('not signed in')
  const { userId } = outcome.session
  const [account] = await app.core.connections.list(userId)
  return { userId, oauthAccountId: account?.id ?? '', session: await sessionOf(userId) }
}
const [ann, bob] = [await enter('ann'), await enter('bob')]
const apiKey = (await app.core.apiKeys.create('acme', {})).text

/** Returns what both libraries throw for a refusal: the answer itself. */
async function refusal(asking: Promise<unknown>): Promise<[number, string]> {
  const answer = await asking.then(
    () => undefined,
    (thrown) => thrown
  )
  if (!(answer instanceof Response)) throw new Error(`no refusal: ${answer}`)
  return [answer.status, (await answer.json()).error]
}

t.test('sdk-api, for back ends', async (t) => {
  const users = (accessToken?: string) =>
    new UsersApi(new UsersConfiguration({ basePath, ...(accessToken && { accessToken }) }))
  const { oauthAccountId } = ann

  t.test('with an API key it has the token of anybody, and keeps nothing else of the answer', async (t) => {
    for (const { oauthAccountId } of [ann, bob]) {
      const answer = await users(apiKey).getUserOauthAccessToken({ oauthAccountId })
      t.strictSame(Object.keys(answer), ['accessToken'])
      t.ok(await acme.accepts(answer.accessToken), 'which the provider accepts')
    }
  })

  t.test('with the JWT of a user it has theirs', async (t) => {
    const { accessToken } = await users(ann.session).getUserOauthAccessToken({ oauthAccountId })
    t.same(await users(apiKey).getUserOauthAccessToken({ oauthAccountId }), { accessToken })
  })

  t.test('a token about to end is refreshed on the way', async (t) => {
    const before = await users(apiKey).getUserOauthAccessToken({ oauthAccountId })
    await redis.client.hset(`grantd:account:{${ann.userId}}:${oauthAccountId}`, 'expiresAtMs', `${Date.now() + 30_000}`)
    const { accessToken } = await users(apiKey).getUserOauthAccessToken({ oauthAccountId })
    t.not(accessToken, before.accessToken)
    t.ok(await acme.accepts(accessToken))
  })

  t.test('it sees who is refused, and why', async (t) => {
    const ask = (token?: string, id = oauthAccountId) =>
      refusal(users(token).getUserOauthAccessToken({ oauthAccountId: id }))
    t.strictSame(await ask(), [401, 'No jwt provided!'])
    t.strictSame(await ask('x.y.z'), [401, 'The jwt is not valid.'])
    t.strictSame(await ask(`${apiKey}x`), [401, 'The jwt is not valid.'])
    t.strictSame(await ask(bob.session), [403, 'Access Forbidden'])
    t.strictSame(await ask(apiKey, UNKNOWN), [404, 'Not Found'])
    t.strictSame(await ask(apiKey, '../clients?x=1#'), [404, 'Not Found'])
  })
})

t.test('sdk-api-core, for end users', async (t) => {
  const sdk = (token?: string) =>
    new SDKApi(new Configuration({ basePath, ...(token && { headers: { authorization: `Bearer ${token}` } }) }))
  const mine = { environmentId: ENVIRONMENT_ID, oauthAccountId: ann.oauthAccountId }

  t.test('it has the token and its scopes', async (t) => {
    const answer = await sdk(ann.session).getEndUserOauthAccessToken(mine)
    t.strictSame(Object.keys(answer), ['accessToken', 'scopes'])
    t.strictSame(answer.scopes, SCOPES)
    t.ok(await acme.accepts(answer.accessToken))
  })

  t.test('scopes of which the provider told nothing are an empty list', async (t) => {
    await redis.client.hset(`grantd:account:{${bob.userId}}:${bob.oauthAccountId}`, 'scopes', '[]')
    const theirs = { environmentId: ENVIRONMENT_ID, oauthAccountId: bob.oauthAccountId }
    t.strictSame((await sdk(bob.session).getEndUserOauthAccessToken(theirs)).scopes, [])
  })

  t.test('it may ask what may be done, with a token or without', async (t) => {
    for (const token of [undefined, ann.session]) {
      const { raw } = await sdk(token).getEndUserOauthAccessTokenOptionsRaw(mine)
      t.strictSame([raw.status, raw.headers.get('allow'), await raw.text()], [204, 'GET, HEAD, OPTIONS', ''])
      t.equal(await sdk(token).getEndUserOauthAccessTokenOptions(mine), undefined)
    }
    const elsewhere = { ...mine, environmentId: UNKNOWN }
    t.strictSame(await refusal(sdk().getEndUserOauthAccessTokenOptions(elsewhere)), [404, 'Not Found'])
  })

  t.test('it sees who is refused, and why', async (t) => {
    const ask = (token?: string, request: Partial<Mine> = {}) =>
      refusal(sdk(token).getEndUserOauthAccessToken({ ...mine, ...request }))
    t.strictSame(await ask(), [401, 'No jwt provided!'])
    t.strictSame(await ask(apiKey), [401, 'The jwt is not valid.'], 'a back end is no end user')
    t.strictSame(await ask(bob.session), [403, 'Access Forbidden'])
    t.strictSame(await ask(ann.session, { oauthAccountId: UNKNOWN }), [404, 'Not Found'])
    t.strictSame(await ask(ann.session, { environmentId: UNKNOWN }), [404, 'Not Found'])
  })
})

t.test('both see that a user has to connect an account again', async (t) => {
  const { userId, oauthAccountId, session } = bob
  await redis.client.hset(`grantd:account:{${userId}}:${oauthAccountId}`, 'expiresAtMs', `${Date.now() - 1}`)
  acme.refuseAll()
  const sentence = 'The provider no longer accepts this account: its user has to connect it again.'
  const users = new UsersApi(new UsersConfiguration({ basePath, accessToken: apiKey }))
  t.strictSame(await refusal(users.getUserOauthAccessToken({ oauthAccountId })), [404, sentence])
  const sdk = new SDKApi(new Configuration({ basePath, headers: { authorization: `Bearer ${session}` } }))
  const asking = sdk.getEndUserOauthAccessToken({ environmentId: ENVIRONMENT_ID, oauthAccountId })
  t.strictSame(await refusal(asking), [404, sentence])
})
