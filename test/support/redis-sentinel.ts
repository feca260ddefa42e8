/** Starts a real primary, its replicas and their Sentinels, on the loopback unless it is told places. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { killedAtExit } from './killed-at-exit.js'
import { commandAt, LOOPBACK, type Place } from './place.js'
import { freePort } from './ports.js'
import { type RedisServer, startRedisAt } from './redis-server.js'
import { until } from './until.js'

const NAME = 'grants'
/** A primary that has been silent for this long counts as down. */
const DOWN_AFTER_MS = 1_000
/** A busy machine keeps a server silent for a while, but not for this long. */
const STEADY_DOWN_AFTER_MS = 600_000
export const SENTINELS = 3

export interface RedisWithSentinels {
  /** All servers; the initial primary comes first. */
  servers: RedisServer[]
  /** The addresses as REDIS_SENTINELS takes them. */
  sentinels: string
  /** The name as REDIS_SENTINEL_NAME takes it. */
  name: string
  /** Returns the primary that the Sentinels name now. */
  primary(): Promise<RedisServer>
  /** Returns all servers that some Sentinel names as primary; there are several while the Sentinels differ. */
  named(): Promise<RedisServer[]>
  /** Has a Sentinel promote a replica now, as an operator does. Resolves to whether it has begun to. */
  promote(): Promise<boolean>
  stop(): Promise<void>
}

interface SentinelOptions {
  replicas?: number
  /** For tests without a failover: a primary that is silent because the machine is busy stays the primary. */
  steady?: boolean
  /** Options for the command line of every server. */
  options?: string[]
  /**
   * Options that set TLS up. All servers then speak TLS on a second port, also among themselves, and `sentinels` has
   * those ports.
   */
  tls?: string[]
  /** Where the servers and the Sentinels run, one after the other. */
  places?: { servers: readonly Place[]; sentinels: readonly Place[] }
}

export async function startRedisWithSentinels(parts: SentinelOptions = {}): Promise<RedisWithSentinels> {
  const { replicas = 1, steady = false, options = [], tls, places } = parts
  const serverAt = (i: number) => places?.servers[i] ?? LOOPBACK
  const sentinelAt = (i: number) => places?.sentinels[i] ?? LOOPBACK
  const tlsPorts = tls && (await Promise.all(Array.from({ length: 1 + replicas + SENTINELS }, freePort)))
  const start = (i: number, ...more: string[]) => {
    const secure = tls ? [...tls, '--tls-replication', 'yes', '--tls-port', `${tlsPorts?.[i]}`] : []
    return startRedisAt(serverAt(i), '--repl-diskless-sync-delay', '0', ...secure, ...options, ...more)
  }
  const primary = await start(0)
  const primaryPort = tlsPorts?.[0] ?? primary.port
  const followers = await Promise.all(
    Array.from({ length: replicas }, (_, i) => start(i + 1, '--replicaof', `${serverAt(0).host} ${primaryPort}`))
  )
  const servers = [primary, ...followers]
  const portsOfServers = tlsPorts ?? servers.map(({ port }) => port)
  await until(async () => (await connectedReplicas(primary)) === replicas)

  const directory = await mkdtemp(join(tmpdir(), 'grantd-sentinel-'))
  const ports = await Promise.all(Array.from({ length: SENTINELS }, freePort))
  const sentinelPorts = tlsPorts?.slice(-SENTINELS) ?? ports
  const processes = await Promise.all(
    ports.map((port, i) => {
      const secure = tls ? [...linesOf(tls), 'tls-replication yes', `tls-port ${sentinelPorts[i]}`] : []
      const monitored = `sentinel monitor ${NAME} ${serverAt(0).host} ${primaryPort} 2`
      const silence = `sentinel down-after-milliseconds ${NAME} ${steady ? STEADY_DOWN_AFTER_MS : DOWN_AFTER_MS}`
      return startSentinel(sentinelAt(i), join(directory, `${port}.conf`), port, [monitored, silence, ...secure])
    })
  )
  const clients = ports.map((port, i) => new Redis(port, sentinelAt(i).host, { protocol: 2, retryStrategy: () => 50 }))
  for (const client of clients) client.on('error', () => {})
  /** Sets times that Sentinels go by. Before 7.0 nobody can. */
  const setTimes = (times: Record<string, number>) =>
    Promise.all(
      clients.map((client) => client.call('SENTINEL', 'DEBUG', ...Object.entries(times).flat()).catch(() => {}))
    )
  // They tell of themselves the more often, and get to know each other the sooner.
  await setTimes({ 'publish-period': 100, 'info-period': 100 })
  // A failover needs a majority of Sentinels that know each other and the replicas.
  await until(async () => (await Promise.all(clients.map(isReady))).every((ready) => ready === replicas))
  await setTimes({ 'publish-period': 2_000, 'info-period': 10_000 })
  // A Sentinel that the machine has held up for two seconds would otherwise do nothing for thirty.
  await setTimes({ 'tilt-trigger': 600_000 })

  async function namedBy(client: Redis | undefined): Promise<RedisServer> {
    const address = (await client?.call('SENTINEL', 'get-master-addr-by-name', NAME)) as [string, string]
    const server = servers[portsOfServers.indexOf(Number(address[1]))]
    if (!server) throw new Error(`the Sentinels name a server that is not there: ${address}`)
    return server
  }

  return {
    servers,
    sentinels: sentinelPorts.map((port, i) => `${sentinelAt(i).host}:${port}`).join(','),
    name: NAME,
    primary: () => namedBy(clients[0]),
    named: async () => [...new Set(await Promise.all(clients.map(namedBy)))],
    promote: async () =>
      (await clients[0]?.call('SENTINEL', 'FAILOVER', NAME).then(
        () => true,
        () => false
      )) ?? false,
    async stop() {
      for (const client of clients) client.disconnect()
      for (const process of processes) await end(process)
      await Promise.all(servers.map((server) => server.stop()))
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** Turns --name value, --name value into lines of a configuration file. */
function linesOf(options: string[]): string[] {
  return options.flatMap((name, i) => (i % 2 === 0 ? [`${name.slice(2)} ${options[i + 1]}`] : []))
}

async function startSentinel(place: Place, file: string, port: number, more: string[]): Promise<ChildProcess> {
  const lines = [
    `port ${port}`,
    `bind ${place.host}`,
    ...(place === LOOPBACK ? [] : ['protected-mode no']),
    ...more,
    `sentinel failover-timeout ${NAME} 3000`
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const process = killedAtExit(spawn(...commandAt(place, 'redis-server', [file, '--sentinel']), { stdio: 'ignore' }))
  // A missing redis-server must fail the test and not skip it.
  process.on('error', (error) => {
    throw error
  })
  return process
}

async function connectedReplicas({ client }: RedisServer): Promise<number> {
  const text = await client.info('replication')
  return text.match(/state=online/g)?.length ?? 0
}

/** Returns how many replicas a Sentinel has heard from, once it knows the other Sentinels. */
async function isReady(client: Redis): Promise<number> {
  const factsOf = (flat: string[]) => (name: string) => flat[flat.indexOf(name) + 1]
  try {
    const primary = factsOf((await client.call('SENTINEL', 'master', NAME)) as string[])
    if (Number(primary('num-other-sentinels')) !== SENTINELS - 1) return -1
    const replicas = ((await client.call('SENTINEL', 'replicas', NAME)) as string[][]).map(factsOf)
    return replicas.filter((fact) => fact('flags') === 'slave' && fact('master-link-status') === 'ok').length
  } catch {
    await sleep(20)
    return -1
  }
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const exited = once(process, 'exit')
  process.kill('SIGKILL')
  await exited
}
