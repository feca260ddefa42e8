/** A code brings tokens once, over however many instances, and whatever is lost between them and Redis. */
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { codeHistories } from '../contract/code-history.js'
import { answerAs, codeRequest, LOOPBACK, redeemCode } from '../support/code-flow.js'
import { seededRandom, startFaultProxy } from '../support/fault-proxy.js'
import { type OAuthApp, startOAuthApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const redis = await startRedis()
t.teardown(() => redis.stop())
const ISSUER = 'https://grants.example'

async function twoInstances(t: Test, url = redis.url): Promise<[OAuthApp, OAuthApp]> {
  const variables = { REDIS_URL: url, PUBLIC_URL: ISSUER }
  const one = await startOAuthApp(t, variables)
  return [one, await startOAuthApp(t, variables, { testClock: one.clock })]
}

const rowsOf = ({ app }: OAuthApp, userId: string) => app.core.authorizations.list(userId)

t.test('of 200 redemptions at once, on two instances, one brings tokens, and the others end them', async (t) => {
  const [one, other] = await twoInstances(t)
  for (let round = 0; round < 5; round++) {
    const request = codeRequest()
    const code = await answerAs(one, request, `user ${round}`)
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
  const code = await answerAs(one, request, 'ann')
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
    const code = await answerAs(whole, request, userId)
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

t.test('an answer that is cut off after the claim: whoever asks again ends what nobody has got', async (t) => {
  const [one, other] = await twoInstances(t)
  await one.app.listen({ host: '127.0.0.1', port: await freePort() })
  const { port } = one.app.server.address() as AddressInfo
  /** What was about to be sent when the connection was cut. */
  const unsent: string[] = []
  one.app.server.prependListener('request', (_request, response: ServerResponse) => {
    response.end = ((body: unknown) => {
      unsent.push(String(body))
      response.socket?.destroy()
      return response
    }) as ServerResponse['end']
  })
  const [request, again] = [codeRequest(), codeRequest()]
  const code = await answerAs(one, request, 'cut off')
  const body = new URLSearchParams({
    ...{ grant_type: 'authorization_code', client_id: 'cli', code, redirect_uri: LOOPBACK },
    code_verifier: request.verifier
  })
  await t.rejects(fetch(`http://127.0.0.1:${port}/oauth/token`, { method: 'POST', body }), 'the client hears nothing')
  const { access_token, refresh_token } = JSON.parse(unsent[0] ?? '')
  t.equal((await other.userinfo(access_token)).status, 200, 'what it has not heard of was issued')
  const retried = await redeemCode(other, code, request)
  t.strictSame([retried.status, retried.body.error], [400, 'invalid_grant'])
  t.equal((await other.userinfo(access_token)).status, 401, 'and is dead')
  t.equal((await other.refresh(refresh_token)).body.error, 'invalid_grant')
  t.strictSame(
    (await rowsOf(other, 'cut off')).map(({ revokedAtMs }) => revokedAtMs !== undefined),
    [true]
  )
  const anew = await redeemCode(other, await answerAs(other, again, 'cut off'), again)
  t.equal(anew.status, 200, 'it begins anew, and is well')
})

t.test('kill -9 of Redis right after the answers: the tokens live, and the codes stay used', async (t) => {
  const crashing = await startRedis()
  t.teardown(() => crashing.stop())
  const [one, other] = await twoInstances(t, crashing.url)
  const requests = Array.from({ length: 20 }, () => codeRequest())
  const codes = await Promise.all(requests.map((request, i) => answerAs(one, request, `crash ${i}`)))
  const unused = codeRequest()
  const unusedCode = await answerAs(other, unused, 'crash, not redeemed yet')
  const redeemAll = () =>
    Promise.all(requests.map((request, i) => redeemCode(i % 2 ? one : other, codes[i] as string, request)))
  const answers = await redeemAll()
  await crashing.kill()
  t.equal((await redeemCode(one, unusedCode, unused)).status, 503, 'meanwhile nobody can tell')
  await crashing.start()
  for (const { app } of [one, other]) await until(async () => (await app.inject('/readyz')).statusCode === 200)
  for (const { status, body } of answers) {
    t.equal(status, 200)
    t.equal((await one.userinfo(body.access_token)).status, 200)
    t.equal((await other.refresh(body.refresh_token)).status, 200)
  }
  t.equal((await redeemCode(one, unusedCode, unused)).status, 200, 'what was not used is good')
  for (const { status, body } of await redeemAll()) t.strictSame([status, body.error], [400, 'invalid_grant'])
  for (const { body } of answers) t.equal((await other.userinfo(body.access_token)).status, 401, 'a second use revokes')
})

t.test('histories of codes in memory follow the rules, whatever happens in which order', async (t) => {
  const service = await startOAuthApp(t)
  await codeHistories(t, [service, service], { runs: 260, areMany: true })
})

t.test('histories of codes over two instances follow the rules, whatever happens in which order', async (t) => {
  await codeHistories(t, await twoInstances(t), { runs: 140 })
})

t.test('Redis has the code as a digest alone, and forgets it', async (t) => {
  const [one] = await twoInstances(t)
  const request = codeRequest()
  const code = await answerAs(one, request, 'ann')
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
