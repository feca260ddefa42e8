/**
 * Checks the checker of bench/faults with made-up histories, each with one violation that it must find; and that what sends the load
 * loses no request by itself.
 */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t from 'tap'
import { check, type Verdict } from '../../bench/faults/checker.js'
import { figuresOf } from '../../bench/faults/figures.js'
import type { Entry, FinalState, ListedClient, Outcome } from '../../bench/faults/history.js'
import { lossesOf } from '../../bench/faults/losses.js'
import { createTransport } from '../../bench/faults/transport.js'
import { freePort } from '../support/ports.js'

/** The whole life of an actor, one request per second. Every test breaks one thing in it. */
const approved: Entry[] = [
  entry('start', 0, 'done'),
  entry('poll', 1, 'pending'),
  entry('decide', 2, 'done', { said: 'approve' }),
  entry('poll', 3, 'approved', { authorization: 'a' }),
  entry('use', 4, 'accepted'),
  entry('rename', 5, 'done', { said: 'first' }),
  entry('rename', 6, 'done', { said: 'second' }),
  entry('use', 7, 'accepted'),
  entry('revoke', 8, 'done'),
  entry('use', 10, 'refused')
]
const denied: Entry[] = [
  entry('start', 0, 'done', { actor: 'bob' }),
  entry('decide', 1, 'done', { actor: 'bob', said: 'deny' }),
  entry('poll', 2, 'denied', { actor: 'bob' })
]
const whole = [...approved, ...denied]
const client: ListedClient = { id: 'a', label: 'second', isRevoked: true }

interface Ending {
  poll?: Outcome
  bobsPoll?: Outcome
  use?: Outcome
  clients?: ListedClient[]
  bobsClients?: ListedClient[]
  records?: string[]
  told?: string[]
  bobsTold?: string[]
  leaks?: string[]
}

/** What the trail tells of the two actors. */
const TOLD = [
  ...['grant.started', 'grant.approved', 'grant.collected', 'authorization.renamed', 'authorization.renamed'],
  'authorization.revoked'
]
const BOBS_TOLD = ['grant.started', 'grant.denied']
const untold = (type: string) => TOLD.filter((other) => other !== type)

function stateOf({
  poll = 'gone',
  bobsPoll = 'denied',
  use = 'refused',
  clients = [client],
  bobsClients = [],
  records = ['a'],
  told = TOLD,
  bobsTold = BOBS_TOLD,
  leaks = []
}: Ending = {}): FinalState {
  return {
    polls: new Map([
      ['alice', poll],
      ['bob', bobsPoll]
    ]),
    uses: new Map([['alice', use]]),
    clients: new Map([
      ['alice', clients],
      ['bob', bobsClients]
    ]),
    records: new Map([['alice', records]]),
    trail: {
      told: new Map([
        ['alice', told.map((type) => ({ type, authorization: type === 'grant.started' ? '' : 'a' }))],
        ['bob', bobsTold.map((type) => ({ type, authorization: '' }))]
      ]),
      leaks: new Set(leaks)
    }
  }
}

function entry(kind: Entry['kind'], second: number, outcome: Outcome, more: Partial<Entry> = {}): Entry {
  const sentAt = second * 1_000
  return { actor: 'alice', kind, operation: second, sentAt, answeredAt: sentAt + 10, status: 200, outcome, ...more }
}

/** Returns the history with a further entry, or with another entry in place of the one sent in that second. */
const withEntry = (added: Entry) => [...whole, added]
const without = (kind: Entry['kind'], said?: string) =>
  whole.filter((entry) => entry.kind !== kind || (said !== undefined && entry.said !== said))
const lost = (kind: Entry['kind'], second: number, more: Partial<Entry> = {}) =>
  entry(kind, second, 'unavailable', { status: 503, ...more })

const rulesOf = ({ violations }: Verdict) => [...new Set(violations.map((text) => text.slice(0, text.indexOf(':'))))]

t.test('a history in which all is well', async (t) => {
  const { violations, facts } = check(whole, stateOf(), {})
  t.same(violations, [])
  t.match(facts, { 'approval kept': 1, 'denial kept': 1, 'revocation kept': 1, 'rename kept': 1, 'known answer': 13 })
  t.match(facts, { 'told in the trail': 7, 'no secret in the trail': 2 })
})

t.test('each thing that can be wrong is found, and found to be that thing', async (t) => {
  const broken: [string, string, readonly Entry[], Ending][] = [
    ['an approval is gone', 'approval kept', without('poll'), { poll: 'pending', clients: [], records: [] }],
    ['an authorization is gone', 'approval kept', whole, { clients: [], records: [] }],
    ['a denial is gone', 'denial kept', whole, { bobsPoll: 'pending' }],
    ['a denied grant is collected', 'denial kept', whole, { bobsClients: [client] }],
    ['a revocation is gone', 'revocation kept', whole, { clients: [{ ...client, isRevoked: false }], use: 'accepted' }],
    ['a revoked token is good in the end', 'revocation kept', whole, { use: 'accepted' }],
    ['a rename is gone', 'rename kept', whole, { clients: [{ ...client, label: 'first' }] }],
    [
      'two authorizations by two polls',
      'one authorization',
      withEntry(entry('poll', 4, 'approved', { authorization: 'b' })),
      {}
    ],
    ['two authorizations in the list', 'one authorization', whole, { clients: [client, { ...client, id: 'b' }] }],
    ['two authorizations in Redis alone', 'one authorization', whole, { records: ['a', 'b'] }],
    ['a revoked token is good too late', 'revoked is refused', withEntry(entry('use', 9.5, 'accepted')), {}],
    ['introspection says so', 'revoked is refused', withEntry(entry('introspect', 9.5, 'accepted')), {}],
    ['a revoked client refreshes', 'revoked is refused', withEntry(entry('refresh', 9.5, 'accepted')), {}],
    ['a decided grant is pending', 'decision is seen', withEntry(entry('poll', 2.5, 'pending')), {}],
    ['a grant is not known', 'no false refusal', withEntry(entry('poll', 1.5, 'gone')), {}],
    ['a grant is denied by nobody', 'no false refusal', withEntry(entry('poll', 1.5, 'denied')), {}],
    ['a grant is approved by nobody', 'no false refusal', withEntry(entry('poll', 1.5, 'approved')), {}],
    ['a good token is refused', 'no false refusal', withEntry(entry('use', 4.5, 'refused')), {}],
    ['a good token is inactive', 'no false refusal', withEntry(entry('introspect', 4.5, 'refused')), {}],
    ['a good token is refused in the end', 'no false refusal', without('revoke'), { use: 'refused' }],
    ['a user code is not known', 'no false refusal', withEntry(entry('decide', 1.5, 'missing')), {}],
    ['a client is not known', 'no false refusal', withEntry(entry('rename', 5.5, 'missing')), {}],
    ['a start is not told', 'told in the trail', whole, { told: untold('grant.started') }],
    ['an approval is not told', 'told in the trail', whole, { told: untold('grant.approved') }],
    ['a denial is not told', 'told in the trail', whole, { bobsTold: ['grant.started', 'grant.approved'] }],
    ['a collection is not told', 'told in the trail', whole, { told: untold('grant.collected') }],
    ['one of two renames is not told', 'told in the trail', whole, { told: TOLD.toSpliced(4, 1) }],
    ['a revocation is not told', 'told in the trail', whole, { told: untold('authorization.revoked') }],
    ['a code is in the trail', 'no secret in the trail', whole, { leaks: ['bob'] }],
    ['an answer out of the contract', 'known answer', withEntry(entry('use', 4.5, 'unexpected', { status: 500 })), {}]
  ]
  for (const [name, rule, history, ending] of broken) {
    t.ok(rulesOf(check(history, stateOf(ending), {})).includes(rule), name)
  }
})

t.test('what is not known to have been done may have been done or not', async (t) => {
  const renamedAgain = [...whole, lost('rename', 6.5, { said: 'third' })]
  const early = [...whole, entry('use', 8.5, 'accepted'), entry('poll', 2.001, 'pending')]
  const fine: [string, readonly Entry[], Ending][] = [
    ['a label that was not acknowledged is there', renamedAgain, { clients: [{ ...client, label: 'third' }] }],
    ['or is not', renamedAgain, {}],
    ['a token is good for a moment after its revocation, a grant pending until the answer', early, {}],
    ['a denial that was not acknowledged is told', withEntry(lost('revoke', 7.2)), {}],
    ['what was done twice is told twice', whole, { told: [...TOLD, ...TOLD] }],
    ['nothing is said while nothing can be looked at', withEntry(lost('use', 4.5)), {}]
  ]
  for (const [name, history, ending] of fine) t.same(check(history, stateOf(ending), {}).violations, [], name)

  const late = without('rename', 'first').concat(lost('rename', 4.7, { said: 'first' }))
  t.same(
    rulesOf(check(late, stateOf({ clients: [{ ...client, label: 'first' }] }), {})),
    ['rename kept'],
    'but what was sent before the last acknowledgement must not come after it'
  )
})

t.test('too few facts are no verdict', async (t) => {
  t.equal(rulesOf(check([], stateOf(), {})).length, 11, 'an empty history breaks every rule')
  t.same(rulesOf(check(whole, stateOf(), { 'revoked is refused': 2 })), ['revoked is refused'])
  const trail = { told: new Map(), leaks: new Set<string>() }
  const nothing: FinalState = { polls: new Map(), uses: new Map(), clients: new Map(), records: new Map(), trail }
  t.same(
    rulesOf(check(whole, nothing, {})).sort(),
    [
      ...['approval kept', 'denial kept', 'no secret in the trail', 'rename kept', 'revocation kept'],
      'told in the trail'
    ],
    'nor is a final state that nobody has read'
  )
})

t.test('how often one operation was refused since Redis was whole is counted', async (t) => {
  const again = { operation: 20 }
  const history = [...whole, ...[20, 22, 24].map((second) => lost('decide', second, again)), lost('use', 24.5)]
  const sinceWhole = (wholeAt: number) => {
    const times = { startedAt: 0, struckAt: 15_000, healedAt: 18_000, wholeAt, endedAt: 26_000 }
    return figuresOf(history, times, 1_000).sinceWhole
  }
  t.same(sinceWhole(19_000), { requests: 4, mostRefusals: { times: 3, kind: 'decide' } })
  t.same(sinceWhole(21_000), { requests: 3, mostRefusals: { times: 2, kind: 'decide' } })
  t.equal(sinceWhole(Number.POSITIVE_INFINITY).requests, 0, 'it never was')
})

t.test('what was told while the network was broken and is not there is counted, and whose it was', async (t) => {
  const broken = (struck: number, back: number) => ({
    ...{ struckAt: struck * 1_000, healedAt: back * 1_000 },
    ...{ backAt: back * 1_000, wholeAt: back * 1_000 }
  })
  const losses = (told: string[], times = broken(3, 9)) => lossesOf(whole, stateOf({ told }), times)
  t.same(losses(TOLD), { acknowledged: 4, lost: {}, losers: new Set() })
  t.same(losses(['grant.started', 'grant.approved', 'authorization.renamed']), {
    acknowledged: 4,
    lost: { renames: 1, revocations: 1, 'collected tokens': 1 },
    losers: new Set(['alice'])
  })
  t.same(losses(untold('grant.approved')).lost, {}, 'what was told before is not lost by that')
  t.same(losses(untold('authorization.revoked'), broken(3, 7)), { acknowledged: 3, lost: {}, losers: new Set() })
  t.same(losses(untold('authorization.revoked'), { ...broken(3, 7), wholeAt: 9_000 }).lost, { revocations: 1 })
})

t.test('an idle connection is ended before its server ends it', async (t) => {
  const server = createServer((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 2\r\n\r\n{}'))
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { send, close } = createTransport(`http://127.0.0.1:${port}`)
  t.teardown(close)
  const connected = once(server, 'connection') as Promise<[Socket]>
  t.match(await send({ method: 'GET', path: '/' }), { status: 200, body: {} })
  const [socket] = await connected
  await once(socket, 'end')
  t.pass('this server never does')
})
