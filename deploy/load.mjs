// A bounded load on a running grantd: each of LOAD_CONNECTIONS clients starts a grant, polls it LOAD_POLLS times without
// waiting, and begins again, until LOAD_SECONDS are over. The first grant of each has all of its polls, however long they
// take. Then it prints what was answered how often and how fast.
// Nothing is approved, and polls after the first come too early on purpose: they are answered slow_down, as documented.
// The grants it starts are gone from Redis 20 minutes later. Ends with 1 if an answer was missing or a 5xx.
//
//   LOAD_URL=http://localhost:8080 LOAD_SECONDS=10 LOAD_CONNECTIONS=20 node deploy/load.mjs
//
// An instance with LIMITS=on answers 429 after the first 30 grants of a minute.

/** A setting within bounds: a load that was mistyped must not run for a week. */
function wholeNumber(name, minimum, maximum, fallback) {
  const text = process.env[name] || `${fallback}`
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
  process.stderr.write(`${name}: expected a whole number from ${minimum} to ${maximum}\n`)
  process.exit(2)
}

const url = (process.env.LOAD_URL || 'http://localhost:8080').replace(/\/+$/, '')
const seconds = wholeNumber('LOAD_SECONDS', 1, 600, 10)
const connections = wholeNumber('LOAD_CONNECTIONS', 1, 1000, 20)
const pollsPerGrant = wholeNumber('LOAD_POLLS', 1, 100, 4)
const ANSWER_WITHIN_MS = 10_000

const answers = new Map()
const latencies = new Map()
let failures = 0

const add = (operation, answer, ms) => {
  const row = `${operation}\t${answer}`
  answers.set(row, (answers.get(row) ?? 0) + 1)
  if (!latencies.has(operation)) latencies.set(operation, [])
  latencies.get(operation).push(ms)
}

async function post(operation, path, body) {
  const startedAt = performance.now()
  const passedMs = () => performance.now() - startedAt
  try {
    const response = await fetch(`${url}/api/v0${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS)
    })
    const text = await response.text()
    const answer = response.ok ? JSON.parse(text) : {}
    add(operation, [response.status, answer.status].filter(Boolean).join(' '), passedMs())
    if (response.status >= 500) failures++
    return answer
  } catch (error) {
    add(operation, `no answer (${error.cause?.code ?? error.name})`, passedMs())
    failures++
    return {}
  }
}

async function client(endsAt) {
  let isFirst = true
  const goesOn = () => isFirst || performance.now() < endsAt
  while (goesOn()) {
    const grant = { client_type: 'other', client_metadata: { name: 'load' } }
    const { grant_code } = await post('start', '/auth/grant/code', grant)
    // Refused or failed: not as fast as it can, or it would measure nothing but that.
    if (grant_code === undefined) await new Promise((resolve) => setTimeout(resolve, 100))
    for (let poll = 0; grant_code !== undefined && poll < pollsPerGrant && goesOn(); poll++) {
      await post('poll', '/auth/grant/token', { grant_code })
    }
    isFirst = false
  }
}

const print = (cells) =>
  process.stdout.write(
    `${cells
      .map((cell, i) => (i < 2 ? `${cell}`.padEnd(i === 0 ? 8 : 30) : `${cell}`.padStart(9)))
      .join('')
      .trimEnd()}\n`
  )

const startedAt = performance.now()
await Promise.all(Array.from({ length: connections }, () => client(startedAt + seconds * 1000)))
const tookSeconds = (performance.now() - startedAt) / 1000

const total = [...answers.values()].reduce((sum, count) => sum + count, 0)
const rate = Math.round(total / tookSeconds)
process.stdout.write(
  `${total} requests from ${connections} connections in ${tookSeconds.toFixed(1)} s, ${rate} a second\n\n`
)
print(['', 'answer', 'count'])
for (const [row, count] of [...answers].sort(([a], [b]) => (a < b ? -1 : 1))) print([...row.split('\t'), count])
process.stdout.write('\n')
print(['', 'latency in ms', 'p50', 'p90', 'p99', 'max'])
for (const [operation, times] of latencies) {
  times.sort((a, b) => a - b)
  const percentile = (p) => times[Math.min(times.length - 1, Math.floor((times.length * p) / 100))].toFixed(1)
  print([operation, '', percentile(50), percentile(90), percentile(99), percentile(100)])
}
process.exit(failures > 0 ? 1 : 0)
