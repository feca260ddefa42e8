/** Generates the tables of docs/large-deployments.md from a result, so that no figure in them is written by hand. */
import { fill } from '../support/publish.js'
import type { Result } from '../support/result.js'
import { type Cell, table } from '../support/tables.js'
import {
  AWAY_SHARE,
  BASE,
  COPY_MEBIBYTES_PER_SECOND,
  HANDSHAKE_MICROS,
  REPLICAS,
  SERVICE_SHARE,
  type Setting
} from './assumptions.js'
import { type Costs, costsOf } from './costs.js'
import { type Deployment, deploymentOf } from './deployment.js'
import { LIMITS, reachedAt } from './limits.js'
import { stormOf } from './storm.js'

export const MODEL_DOCUMENT = 'docs/large-deployments.md'

const SIZES = [10e6, 100e6, 1_000e6] as const
const GIBIBYTE = 2 ** 30

/** What is changed against the base in a row of the table of settings. */
const CHANGES: readonly (readonly [name: string, change: Partial<Setting>])[] = [
  ['as above', {}],
  ['`POLL_INTERVAL_SECONDS=15`', { intervalSeconds: 15 }],
  ['every client asks with `Prefer: wait=30`', { heldShare: 1 }],
  ['the same, `HELD_POLLS=100000`', { heldShare: 1, heldPolls: 100_000 }],
  ['the same, `GRANT_TTL_SECONDS=300`', { heldShare: 1, heldPolls: 100_000, grantSeconds: 300 }],
  ['`CLIENT_TOKEN_TTL_SECONDS` of a day', { tokenDays: 1 }],
  ['each that waits is approved ten times a day', { approvedPerDay: 10 }],
  ['slots moved until each primary has as many groups', { isEven: true }],
  [
    'the same, every client asks with `Prefer: wait=30`, `HELD_POLLS=100000`',
    { isEven: true, heldShare: 1, heldPolls: 100_000 }
  ],
  ['primaries of 64 GiB', { primaryGibibytes: 64 }]
]

/** Returns the document with its generated parts replaced. */
export function publishModel(result: Result, document: string): string {
  return fill(document, modelTables(result))
}

export function modelTables(result: Result): Map<string, string> {
  const costs = costsOf(result)
  return new Map([
    ['costs', costTable(costs)],
    ['sizes', sizeTable(costs)],
    ['limits', limitTable(costs)],
    ['settings', settingTable(costs)],
    ['storms', stormTable(costs)],
    ['returns', returnTable()]
  ])
}

function costTable({ poll, run, start, approval, grantBytes, heldBytes }: Costs): string {
  return table(
    ['', 'service', 'Redis', 'from'],
    [
      ['a poll among many', micros(poll.service), micros(poll.redis), 'sections `peers` and `scale`, at full speed'],
      [
        'a run of the poll script, beside its polls',
        micros(run.service),
        micros(run.redis),
        'section `instances`: the steady pace less full speed'
      ],
      ['a start', micros(start.service), micros(start.redis), 'section `start`'],
      [
        'looking, approving, collecting',
        micros(approval.service),
        micros(approval.redis),
        'section `collect`, less a start'
      ],
      ['a pending grant', '', `${Math.round(grantBytes)} bytes`, 'section `memory`'],
      ['a poll that is held', `${(heldBytes / 1_024).toFixed(1)} KiB`, '', 'section `wait`']
    ]
  )
}

const ROWS: readonly (readonly [name: string, of: (deployment: Deployment) => string])[] = [
  ['polls a second', ({ polls }) => count(polls)],
  ['starts a second', ({ starts }) => count(starts)],
  ['approvals a second', ({ approvals }) => count(approvals)],
  [`instances, at ${SERVICE_SHARE * 100} % of a core`, ({ instances }) => count(instances)],
  ['polls in a run of the script', ({ inRun }) => inRun.toFixed(1)],
  ['cores of Redis in all', ({ redisCores }) => count(redisCores)],
  ['**primaries**', ({ primaries }) => countOrNone(primaries)],
  ['the one with the most grants, of its core', ({ hottest }) => percent(hottest)],
  [`nodes, with ${REPLICAS} replicas each`, ({ primaries }) => countOrNone(primaries && primaries * (1 + REPLICAS))],
  ['connections at each primary', ({ connections }) => count(connections)],
  ['Redis for pending grants', ({ grantBytes }) => gibibytes(grantBytes)],
  ['Redis for authorized clients', ({ keptBytes }) => gibibytes(keptBytes)],
  ['the audit trail, of the core of its primary', ({ trail }) => percent(trail)],
  ['beats of instances, of the core of each primary', ({ beats }) => percent(beats)],
  ['hearing of decisions, of the core of each instance', ({ hearing }) => percent(hearing)]
]

function sizeTable(costs: Costs): string {
  const deployments = SIZES.map((pending) => deploymentOf(costs, BASE, pending))
  return table(
    ['pending clients', ...SIZES.map((pending) => `${count(pending / 1e6)} million`)],
    ROWS.map(([name, of]) => [name, ...deployments.map(of)])
  )
}

function limitTable(costs: Costs): string {
  const held = { ...BASE, heldShare: 1, heldPolls: 100_000 }
  const rows = LIMITS.map((limit) => {
    const at = [BASE, held].map((setting) => reachedAt(limit, costs, setting))
    return { at, cells: [limit.name, ...at.map(rounded), limit.moves] satisfies Cell[] }
  }).sort(({ at: [a = Number.MAX_VALUE] }, { at: [b = Number.MAX_VALUE] }) => a - b)
  return table(
    ['limit', 'pending clients', 'if all polls are held', 'what moves it'],
    rows.map(({ cells }) => cells)
  )
}

function settingTable(costs: Costs): string {
  return table(
    ['100 million pending clients', 'polls a second', 'instances', 'primaries', 'by memory alone', 'Redis in all'],
    CHANGES.map(([name, change]) => {
      const setting = { ...BASE, ...change }
      const deployment = deploymentOf(costs, setting, 100e6)
      const bytes = deployment.grantBytes + deployment.keptBytes
      return [
        name,
        count(deployment.polls),
        count(deployment.instances),
        countOrNone(deployment.primaries),
        count(Math.ceil(bytes / (setting.primaryGibibytes * GIBIBYTE))),
        gibibytes(bytes)
      ]
    })
  )
}

function stormTable(costs: Costs): string {
  const { intervalSeconds } = BASE
  const rows: readonly (readonly [name: string, from: number, to: number])[] = [
    ['constant, 2 s', 2, 2],
    ['2 to 4 s', 2, 4],
    [
      `${intervalSeconds} to ${2 * intervalSeconds} s, as grantd tells clients that poll`,
      intervalSeconds,
      2 * intervalSeconds
    ]
  ]
  return table(
    [
      '`Retry-After`',
      'polls while away',
      'of the cores of the instances',
      'clients of an instance',
      'refusals',
      'all served after'
    ],
    rows.map(([name, from, to]) => {
      const { clients, away, refused, seconds } = stormOf(costs, BASE, from, to)
      return [
        name,
        `${away.toFixed(2)} times as many`,
        percent(away * AWAY_SHARE * SERVICE_SHARE),
        count(clients),
        count(refused),
        `${seconds} s`
      ]
    })
  )
}

/** What comes beside the polls when everything is back: connections at the edge, and copies of what a primary has. */
function returnTable(): string {
  const clients = SIZES[0]
  const { primaryGibibytes } = BASE
  return table(
    ['', 'each', 'in all'],
    [
      [
        `new connections of ${count(clients / 1e6)} million clients with TLS, at the edge`,
        micros(HANDSHAKE_MICROS),
        `${count((clients * HANDSHAKE_MICROS) / 1e6)} core-seconds`
      ],
      [
        `a replica is sent a primary of ${primaryGibibytes} GiB`,
        `${COPY_MEBIBYTES_PER_SECOND} MiB a second`,
        `${count((primaryGibibytes * 1_024) / COPY_MEBIBYTES_PER_SECOND)} seconds`
      ]
    ]
  )
}

const count = (value: number) => Math.round(value).toLocaleString('en')
const countOrNone = (value: number | undefined) => (value === undefined ? 'none is enough' : count(value))
const micros = (value: number) => `${value >= 1_000 ? count(value) : value.toFixed(1)} µs`
const percent = (part: number) => `${part < 0.1 ? (part * 100).toFixed(1) : count(part * 100)} %`
const gibibytes = (bytes: number) => `${count(bytes / GIBIBYTE)} GiB`

/** Two digits: the model knows no more. */
function rounded(pending: number | undefined): string {
  return pending === undefined ? 'never' : Number(pending.toPrecision(2)).toLocaleString('en')
}
