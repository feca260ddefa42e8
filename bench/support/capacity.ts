/** Derives the capacity of a deployment from the measured figures, by arithmetic alone. */
import { GRANTD } from './names.js'
import { numberOf, type Result } from './result.js'
import { type Cell, table } from './tables.js'

const INTERVAL_SECONDS = 5
const MILLION = 1_000_000
const MEBIBYTE = 2 ** 20

export function capacityTable(result: Result): string {
  const most = Math.max(...result.sizes.pending).toLocaleString('en')
  const polls = numberOf(result, 'poll', 'service')
  const tokenPolls = numberOf(result, 'peers', GRANTD)
  const redisMicros = numberOf(result, 'peers', `Redis, ${GRANTD}`)
  const steadyMicros = numberOf(result, 'instances', 'service, 1 instance')
  const bytes = numberOf(result, 'memory', `${most} grants`)
  const waiting = numberOf(result, 'wait', 'memory per waiting request')
  const perPrimary = MILLION / redisMicros

  return table(
    ['', 'value', 'unit', 'how'],
    [
      row('polls, dashboard API', polls, 'per second and core', 'measured: section `poll`'),
      row('polls, token endpoint', tokenPolls, 'per second and core', 'measured: section `peers`'),
      row('CPU of Redis for a poll', redisMicros, 'µs', 'measured: section `peers`'),
      row('CPU of the service for a poll when it is not busy', steadyMicros, 'µs', 'measured: section `instances`'),
      row('Redis for a pending grant', bytes, 'bytes', `measured: section \`memory\`, ${most} grants`),
      row('memory of a poll that waits', waiting, 'KiB', 'measured: section `wait`'),
      row(
        '**pending clients of a core of the service**, dashboard API',
        polls * INTERVAL_SECONDS,
        'clients',
        `by arithmetic: ${show(polls)} polls per second × ${INTERVAL_SECONDS} s`
      ),
      row(
        '**pending clients of a core of the service**, token endpoint',
        tokenPolls * INTERVAL_SECONDS,
        'clients',
        `by arithmetic: ${show(tokenPolls)} polls per second × ${INTERVAL_SECONDS} s`
      ),
      row(
        'polls of a Redis primary, which has one core',
        perPrimary,
        'per second',
        `by arithmetic: 1,000,000 µs ÷ ${redisMicros.toFixed(2)} µs`
      ),
      row(
        '**pending clients of a Redis primary**',
        perPrimary * INTERVAL_SECONDS,
        'clients',
        `by arithmetic: ${show(perPrimary)} polls per second × ${INTERVAL_SECONDS} s`
      ),
      row(
        'cores of the service that keep a primary busy',
        perPrimary / tokenPolls,
        'cores',
        `by arithmetic: ${show(perPrimary)} ÷ ${show(tokenPolls)} polls per second`
      ),
      row(
        '**memory of Redis for a million pending grants**',
        (bytes * MILLION) / MEBIBYTE,
        'MiB',
        `${most === MILLION.toLocaleString('en') ? 'measured, in other units' : 'by arithmetic'}: ${bytes.toFixed(1)} bytes × 1,000,000 ÷ 2²⁰`
      ),
      row(
        'share of a core for 10,000 pending clients',
        (10_000 / INTERVAL_SECONDS) * steadyMicros * 1e-4,
        '%',
        `by arithmetic: 10,000 ÷ ${INTERVAL_SECONDS} s × ${steadyMicros.toFixed(1)} µs`
      ),
      row(
        'memory of the service for 10,000 polls that wait',
        (waiting * 10_000) / 1024,
        'MiB',
        `by arithmetic: ${waiting.toFixed(2)} KiB × 10,000 ÷ 1,024`
      )
    ]
  )
}

const row = (what: string, value: number, unit: string, how: string): Cell[] => [what, value, unit, how]
const show = (value: number) => Math.round(value).toLocaleString('en')
