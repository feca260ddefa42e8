/**
 * Measures what traces cost a poll: polls of pending grants per CPU-second of a service without them, with one request in a hundred
 * traced, and with every one. A file of another build's server as the argument is measured beside them.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { cpus, loadavg } from 'node:os'
import { freePort } from '../test/support/ports.js'
import { createGrants } from './support/grants.js'
import { createLifetime } from './support/lifetime.js'
import { JSON_POLL, POLL_PATH, postCodes } from './support/load.js'
import { assertPending, measure, type Round } from './support/measure.js'
import { startBenchRedis, startGrantd } from './support/processes.js'
import { median, medianRatio } from './support/report.js'
import { warmUp } from './support/warm-up.js'

const ROUNDS = 8
const POLLS = 4_000
const lifetime = createLifetime(600)

/** A receiver that takes whatever comes: it is this process, whose CPU nobody counts. */
async function startReceiver(): Promise<{ url: string; bytes: () => number }> {
  let bytes = 0
  const server = createServer((request, response) => {
    request.on('data', (chunk) => {
      bytes += chunk.length
    })
    request.on('end', () => response.end())
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  lifetime.ends(() => server.closeAllConnections())
  lifetime.ends(() => server.close())
  return { url: `http://127.0.0.1:${port}`, bytes: () => bytes }
}

try {
  console.log(`Node.js ${process.version}, ${cpus()[0]?.model ?? 'a processor'}, load ${loadavg()[0]?.toFixed(1)}`)
  const [redis, receiver] = [await startBenchRedis(lifetime, 'yes'), await startReceiver()]
  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' }
  const variants: [name: string, variables: Record<string, string>, server?: string][] = [
    ['off', {}],
    ['on, ratio 0', { ...on, OTEL_TRACES_SAMPLER_ARG: '0' }],
    ['on, ratio 0.01', { ...on, OTEL_TRACES_SAMPLER_ARG: '0.01' }],
    ['on, ratio 1', { ...on, OTEL_TRACES_SAMPLER_ARG: '1' }]
  ]
  const [, , other] = process.argv
  if (other !== undefined) variants.push(['off, other build', {}, other])
  const sides = []
  for (const [name, variables, server] of variants) {
    const { pid, url } = await startGrantd(lifetime, redis, variables, server)
    sides.push({ name, pid, url: url + POLL_PATH, rounds: [] as Round[] })
  }
  await warmUp(
    lifetime,
    redis,
    POLLS,
    sides.map(({ url }) => ({ url, shape: JSON_POLL, codeOf: (code) => code }))
  )
  for (let i = 0; i < ROUNDS; i++) {
    // The order alternates, so that a change in the speed of the machine favours no side.
    for (const { pid, url, rounds } of i % 2 === 0 ? sides : sides.toReversed()) {
      const codes = await createGrants(redis.url, POLLS)
      const measured = { redis, pids: [pid], command: 'setrange' } as const
      rounds.push(await measure(measured, () => postCodes(lifetime, url, codes)))
    }
  }
  assertPending(sides.flatMap(({ rounds }) => rounds))
  const rates = sides.map(({ rounds }) => rounds.map(({ perCpuSecond }) => perCpuSecond))
  for (const [i, { name }] of sides.entries()) {
    const [own = [], off = []] = [rates[i], rates[0]]
    const rate = Math.round(median(own)).toLocaleString('en')
    console.log(`${name}: ${rate} polls per CPU-second, ${medianRatio(own, off).toFixed(2)} of those without traces`)
  }
  console.log(`${(receiver.bytes() / 1e6).toFixed(1)} MB of spans were received`)
} finally {
  await lifetime.end()
}
