/**
 * Measures held polls: how soon each hears of its decision, and what it costs in memory and in Redis commands while it
 * waits. All are held by one instance, and decided one by one.
 */
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEVICE_CODE_GRANT } from '../src/core/clients/client.js'
import { apiClient } from '../test/support/client.js'
import type { RedisServer } from '../test/support/redis-server.js'
import { sessionOf } from '../test/support/tokens.js'
import type { Lifetime } from './support/lifetime.js'
import { TOKEN_PATH } from './support/load.js'
import { residentBytes } from './support/memory.js'
import { startBenchRedis, startGrantd } from './support/processes.js'
import { percentile, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

/** The time in which held polls only wait while the commands of Redis are counted. */
const QUIET_MS = 5_000
const SETTLE_MS = 1_000
/** A user may have 500 programs at most. */
const USERS = 10

export async function benchWait(lifetime: Lifetime, { waiters }: Sizes): Promise<Section> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const service = await startGrantd(lifetime, redis)
  const api = apiClient(service.url)
  const sessions = await Promise.all(Array.from({ length: USERS }, (_, i) => sessionOf(`bench-${i}`)))
  const decide = async (user_code: string, number: number) => {
    const answer = await api.call('POST', '/auth/grant/approve', {
      token: sessions[number % USERS] as string,
      body: { user_code, action: 'approve' }
    })
    if (answer.status !== 200) throw new Error(`a decision was answered ${answer.status}`)
  }
  const startMany = async (count: number) => {
    const grants: Awaited<ReturnType<typeof api.start>>[] = []
    while (grants.length < count) grants.push(await api.start())
    return grants
  }

  // A few held polls run to their end before anything is counted, so that code is compiled. They are few because memory
  // that they free would be reused by the counted polls and hide their need.
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  lifetime.ends(() => agent.destroy())
  const warm = await startMany(Math.ceil(waiters / 20))
  const warmHeld = warm.map(({ grant_code }) => hold(agent, service.url, grant_code))
  await untilHeld(service.url, warm.length)
  for (const [i, { user_code }] of warm.entries()) await decide(user_code, i)
  await Promise.all(warmHeld)
  agent.destroy()
  await sleep(SETTLE_MS)

  const grants = await startMany(waiters)
  const before = residentBytes(service.pid)
  const held = grants.map(({ grant_code }) => hold(agent, service.url, grant_code))
  // Whoever ends the run ends these too, which must not hide why.
  for (const answered of held) answered.catch(() => undefined)
  await untilHeld(service.url, waiters)
  await sleep(SETTLE_MS)
  const whileWaiting = residentBytes(service.pid)

  const commandsBefore = await commandsRun(redis)
  await sleep(QUIET_MS)
  const commands = (await commandsRun(redis)) - commandsBefore

  const delays: number[] = []
  for (const [i, { user_code }] of grants.entries()) {
    await decide(user_code, i)
    const approvedAt = performance.now()
    const answeredAt = await (held[i] as Promise<number>)
    // The poll may be answered before the approver, so a negative delay counts as zero.
    delays.push(Math.max(0, answeredAt - approvedAt))
  }
  return {
    title: `6. ${waiters.toLocaleString('en')} polls waiting on one instance, approved one by one`,
    how:
      'Each with a connection of its own at the token endpoint and "Prefer: wait=30"; a few came before and warmed everything ' +
      'up. The delay is from the answer to the approver to the answer to the poller, both as this process sees ' +
      'them. Memory is what the process holds more of than before they came, sockets and all, kernel buffers apart. ' +
      `Commands are those Redis ran in ${QUIET_MS / 1000} s of nothing but waiting, without the beat of the connection. ` +
      `Verified: all ${delays.length} were answered with a token.`,
    figures: [
      { name: 'delay, p50', value: percentile(delays, 0.5), unit: 'ms', target: { atMost: 20 } },
      { name: 'delay, p99', value: percentile(delays, 0.99), unit: 'ms', target: { atMost: 100 } },
      { name: 'delay, longest', value: Math.max(...delays), unit: 'ms' },
      {
        name: 'memory per waiting request',
        value: (whileWaiting - before) / waiters / 1024,
        unit: 'KiB',
        target: { atMost: 30 }
      },
      { name: 'commands of Redis per waiter', value: commands / waiters, unit: '', target: { atMost: 0 } }
    ]
  }
}

/** Sends a held poll. Resolves with the time of its answer on the clock of performance.now(). */
function hold(agent: Agent, url: string, deviceCode: string): Promise<number> {
  const body = new URLSearchParams({
    grant_type: DEVICE_CODE_GRANT,
    client_id: 'cli',
    device_code: deviceCode
  }).toString()
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': body.length,
    prefer: 'wait=30'
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${TOKEN_PATH}`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 200) resolve(performance.now())
        else reject(new Error(`a waiting poll was answered ${answer.statusCode}`))
      })
    })
    request.on('error', reject).end(body)
  })
}

async function untilHeld(url: string, count: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const text = await (await fetch(`${url}/metrics`)).text()
    if (text.includes(`\ngrantd_held_polls ${count}\n`)) return
    await sleep(20)
  }
  throw new Error(`${count} polls were to wait, and do not`)
}

/**
 * Counts the commands that Redis has run, in scripts and by themselves, except PING, the INFO of this function and the sweep of the
 * revocation feed: four commands each few seconds, of which HLEN is run by nothing else here.
 */
async function commandsRun({ client }: RedisServer): Promise<number> {
  const text = await client.info('commandstats')
  const counts = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  const sweeps = Number(counts.find(([, name]) => name === 'hlen')?.[2] ?? 0)
  return counts
    .filter(([, name = '']) => !['ping', 'info', 'evalsha', 'eval'].includes(name))
    .reduce((sum, [, , calls]) => sum + Number(calls), -4 * sweeps)
}
