/** A code brings tokens once, over however many instances, and whatever is lost between them and Redis. */
import t, { type Test } from 'tap'
import { newGrantCode } from '../../src/core/grants/codes.js'
import { type CodeRequest, challengeOf, codeRequest, LOOPBACK, redeemCode } from '../support/code-flow.js'
import { seededRandom, startFaultProxy } from '../support/fault-proxy.js'
import { type OAuthApp, startOAuthApp } from '../support/oauth-app.js'
import { startRedis } from '../support/redis-server.js'

const redis = await startRedis()
t.teardown(() => redis.stop())
const ISSUER = 'https://grants.example'

async function twoInstances(t: Test, url = redis.url): Promise<[OAuthApp, OAuthApp]> {
  const variables = { REDIS_URL: url, PUBLIC_URL: ISSUER }
  return [await startOAuthApp(t, variables), await startOAuthApp(t, variables)]
}

/** Approves a request as the page does. Returns the code. */
async function approve({ app, clock }: OAuthApp, { verifier }: CodeRequest, userId: string): Promise<string> {
  const code = newGrantCode()
  const request = {
    ...{ clientId: 'cli', clientType: 'cli' as const, scopes: ['openid', 'offline_access'], metadata: {} },
    ...{ codeChallenge: challengeOf(verifier), redirectUri: LOOPBACK, ip: '192.0.2.1' }
  }
  const by = { userId, ip: '192.0.2.1', signedInAtMs: clock() }
  const { kind } = await app.core.grants.answerCode({ code, request, askedAtMs: clock() }, 'approve', by)
  if (kind !== 'decided') throw new Error(kind)
  return code
}

const rowsOf = ({ app }: OAuthApp, userId: string) => app.core.authorizations.list(userId)

t.test('of 200 redemptions at once, on two instances, one brings tokens, and the others end them', async (t) => {
  const [one, other] = await twoInstances(t)
  for (let round = 0; round < 5; round++) {
    const request = codeRequest()
    const code = await approve(one, request, `user ${round}`)
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => redeemCode(i % 2 ? one : other, code, request))
    )
    const [won, ...more] = answers.filter(({ status }) => status === 200)
    t.equal(more.length, 0)
    t.equal(answers.filter(({ status, body }) => status === 400 && body.error === 'invalid_grant').length, 199)
    const rows = await rowsOf(other, `user ${round}`)
    t.equal(rows.length, 1, 'one authorization')
    t.ok(rows[0]?.revokedAtMs, 'which is revoked, for the code was used twice')
    t.equal((await one.userinfo(won?.body.access_token)).status, 401)
  }
})

t.test('a second use on another instance revokes, and one by a thief does not', async (t) => {
  const [one, other] = await twoInstances(t)
  const request = codeRequest()
  const code = await approve(one, request, 'ann')
  const { status, body } = await redeemCode(one, code, request)
  t.equal(status, 200)
  for (const wrong of [{ code_verifier: codeRequest().verifier }, { redirect_uri: 'http://127.0.0.1/' }]) {
    t.equal((await redeemCode(other, code, request, wrong)).body.error, 'invalid_grant')
  }
  t.equal((await other.refresh(body.refresh_token)).status, 200)
  t.equal((await redeemCode(other, code, request)).body.error, 'invalid_grant')
  t.equal((await one.userinfo(body.access_token)).status, 401)
})

t.test('answers of Redis that are lost make no second use of a first one', async (t) => {
  const proxy = await startFaultProxy(redis.port, seededRandom(17))
  t.teardown(() => proxy.close())
  const instances = await twoInstances(t, proxy.url)
  const whole = (await twoInstances(t))[0]
  const outcomes = { tokens: 0, unavailable: 0, invalid: 0 }
  for (let round = 0; round < 60; round++) {
    const request = codeRequest()
    const userId = `lossy ${round}`
    const code = await approve(whole, request, userId)
    proxy.lose(0.2)
    const { status, body } = await redeemCode(instances[round % 2] as OAuthApp, code, request)
    proxy.lose(0)
    if (status === 200) {
      outcomes.tokens += 1
      t.equal((await whole.userinfo(body.access_token)).status, 200, 'tokens that were handed out are good')
    } else if (status === 503) outcomes.unavailable += 1
    else outcomes.invalid += 1
  }
  t.comment(JSON.stringify(outcomes), `${proxy.lost()} lost`)
  t.equal(outcomes.invalid, 0, 'a command that the driver has sent twice is one use')
  t.ok(outcomes.tokens >= 20 && proxy.lost() >= 20, `${outcomes.tokens} of 60, with ${proxy.lost()} answers lost`)
})

t.test('Redis has the code as a digest alone, and forgets it', async (t) => {
  const [one] = await twoInstances(t)
  const request = codeRequest()
  const code = await approve(one, request, 'ann')
  const keys = await redis.client.keys('*')
  t.ok(keys.length > 0)
  for (const key of keys) {
    t.notOk(key.includes(code), key)
    if (!key.includes('grant:')) continue
    t.notOk((await redis.client.get(key))?.includes(code), key)
    const ttl = await redis.client.pttl(key)
    t.ok(ttl > 0 && ttl <= 420_000, `${ttl} ms`)
  }
})
