/** Checks that docs/operations.md is right about backups and restores, by running its commands as they are pasted. */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { startApp } from '../support/app.js'
import { claimsOf } from '../support/client.js'
import { CLI, startOAuthApp } from '../support/oauth-app.js'
import { addRedisUser } from '../support/redis-acl.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'

const guide = await readFile(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8')
const shell = (script: string, url: string, cwd: string) =>
  promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd, env: { ...process.env, REDIS_URL: url } })

/** Returns the only code block of the guide that contains this text. */
function block(containing: string): string {
  const found = [...guide.matchAll(/```(?:sh)?\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  const [one, ...more] = found.filter((text) => text.includes(containing))
  if (one === undefined || more.length > 0) throw new Error(`docs/operations.md: not one block with ${containing}`)
  return one
}

/** Restores a snapshot into a second Redis, in the steps of the guide. */
async function restore(t: Test, snapshot: string): Promise<RedisServer> {
  const data = join(dirname(snapshot), 'data')
  await mkdir(data)
  await copyFile(snapshot, join(data, 'dump.rdb'))
  const redis = await startRedis('--dir', data, '--appendonly', 'no')
  t.teardown(() => redis.stop())
  t.ok((await redis.client.dbsize()) > 0)
  await redis.client.config('SET', 'appendonly', 'yes')
  while (!(await redis.client.info('persistence')).includes('aof_rewrite_in_progress:0')) await redis.client.ping()
  await redis.kill()
  await redis.start('--appendonly', 'yes')
  return redis
}

t.test('an old snapshot brings back what was revoked, until the records are taken away', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const directory = t.testdir({})
  const before = await startOAuthApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' })
  const revoked = await before.collect('ann')
  const kept = await before.collect('ann')
  const family = await before.tokens(CLI, 'openid offline_access')
  const waiting = await before.start()
  await before.decide(waiting.user_code, 'ann')
  const key = await before.app.core.apiKeys.create('acme', {})
  await shell(block('--rdb'), redis.url, directory)

  const revocation = await before.call('DELETE', `/auth/clients/${claimsOf(revoked).cid}`, { user: 'ann' })
  t.equal(revocation.status, 200)
  t.equal((await before.call('GET', '/auth/clients', { token: revoked })).status, 401)
  const later = await before.collect('ann')

  const restored = await restore(t, join(directory, 'grantd.rdb'))
  const after = await startOAuthApp(t, { REDIS_URL: restored.url, SIGNING_ALG: 'EdDSA' })
  const statusOf = async (token: string) => (await after.call('GET', '/auth/clients', { token })).status
  t.equal(await statusOf(revoked), 200, 'what was revoked is good again')
  t.equal(await statusOf(kept), 200)
  t.equal(await statusOf(later), 401, 'who was authorized since then is not any more')

  await shell(block('xargs'), restored.url, directory)
  for (const token of [revoked, kept, later]) t.equal(await statusOf(token), 401, 'everybody has to come again')
  const refreshed = await after.refresh(family.refresh_token, CLI)
  t.match(refreshed, { status: 400, body: { error: 'invalid_grant' } })
  t.notOk((await after.poll(waiting.grant_code)).body.jwt, 'nothing is left to collect')
  t.ok(await after.app.core.apiKeys.use(key.text), 'API keys stay')
  t.equal(await statusOf(await after.collect('ann')), 200, 'and the service goes on')
  const left = new Set((await restored.client.keys('*')).map((name) => name.split(':')[1]))
  t.ok(left.has('signing-keys') && left.has('api-key'))
})

t.test('Redis started over its append-only file ignores a snapshot, as the guide warns', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await redis.client.set('grantd:a', 'b')
  const directory = t.testdir({})
  await shell(block('--rdb'), redis.url, directory)
  await copyFile(join(directory, 'grantd.rdb'), join(directory, 'dump.rdb'))
  const other = await startRedis('--dir', directory)
  t.teardown(() => other.stop())
  t.equal(await other.client.dbsize(), 0)
})

t.test('a Redis user with the rights of deploy/redis/grantd.acl is enough, and may do no more', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { username, password } = await addRedisUser([redis], 'secret')
  const url = redis.url.replace('//', `//${username}:${password}@`)
  const service = await startOAuthApp(t, { REDIS_URL: url, SIGNING_ALG: 'EdDSA', LIMITS: 'on' })
  t.equal((await service.call('GET', '/readyz')).status, 200)
  t.match((await service.call('GET', '/metrics')).body, /^grantd_decision_feed_up 1$/m)
  const token = await service.collect('ann')
  t.equal((await service.call('GET', '/auth/clients', { token })).status, 200)
  const { refresh_token } = await service.tokens(CLI, 'offline_access')
  t.equal((await service.refresh(refresh_token, CLI)).status, 200)
  t.equal((await service.call('DELETE', `/auth/clients/${claimsOf(token).cid}`, { user: 'ann' })).status, 200)
  await service.app.core.signingKeys.rotate('now')
  await service.app.core.apiKeys.create('acme', {})

  const user = redis.client.duplicate({ username, password })
  t.teardown(() => user.disconnect())
  await user.connect()
  for (const [name, ...args] of [['FLUSHALL'], ['KEYS', '*'], ['CONFIG', 'GET', '*'], ['GET', 'elsewhere:a']]) {
    await t.rejects(user.call(name as string, ...args), { message: /NOPERM/ }, name as string)
  }
})

t.test('data that is gone: no token of before is good, and the service goes on as a new one', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { app, call, collect } = await startApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' })
  const token = await collect('ann')
  await redis.client.flushall()
  t.equal((await call('GET', '/auth/clients', { token })).status, 401)
  await app.core.signingKeys.refresh()
  t.equal((await call('GET', '/auth/clients', { token: await collect('ann') })).status, 200)
})
