/**
 * Runs random histories of codes, over the wire of two instances: approved or denied, redeemed by those whom they are for and by others,
 * too late, again, at once, and beside a revocation; taken for device codes; and what came of them used and refreshed. The answers must
 * be those of a plain model. FC_SEED=n repeats a run.
 */
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Test } from 'tap'
import { CODE_LIFE_MS } from '../../src/core/grants/code-grants.js'
import type { Action } from '../../src/core/grants/grant.js'
import { RETENTION_MS } from '../../src/core/grants/state-machine.js'
import { BY } from '../support/audit.js'
import { answerAs, type CodeRequest, challengeOf, codeRequest, redeemCode, type Sent } from '../support/code-flow.js'
import { CLI, type Credentials, type OAuthApp } from '../support/oauth-app.js'

/** A code as the model has it. Each has a user of its own. */
interface ModelCode {
  request: CodeRequest
  code: string
  userId: string
  answeredAtMs: number
  state: 'open' | 'spent' | 'denied'
  /** Whether the authorization is revoked, by its user or because the code was used twice. */
  isRevoked: boolean
  tokens: { access_token: string; refresh_token: string } | undefined
  /** The end of the access token. */
  usableUntilMs: number
}

interface History {
  codes: ModelCode[]
  seen(what: string): void
}

/** Two instances over the same state, with one clock. In memory it is one, twice. */
export type Instances = readonly [OAuthApp, OAuthApp]
type Command = fc.AsyncCommand<History, Instances>

interface Attempt {
  parameters(code: ModelCode): Sent
  client?: Credentials
  isRight?: boolean
}

const ATTEMPTS: Record<string, Attempt> = {
  'as it is meant': { parameters: () => ({}), isRight: true },
  'without its redirect URI': { parameters: () => ({ redirect_uri: undefined }), isRight: true },
  'with another redirect URI': { parameters: () => ({ redirect_uri: 'http://127.0.0.1:1/callback' }) },
  'with another verifier': { parameters: () => ({ code_verifier: codeRequest().verifier }) },
  'without a verifier': { parameters: () => ({ code_verifier: undefined }) },
  'with the challenge': { parameters: ({ request }) => ({ code_verifier: challengeOf(request.verifier) }) },
  'by another client': { parameters: () => ({}), client: { client_id: 'mcp' } },
  'with another code': { parameters: ({ code }) => ({ code: code.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }) }
}
type AttemptName = keyof typeof ATTEMPTS & string

export async function codeHistories(
  t: Test,
  instances: Instances,
  { runs, areMany = false }: { runs: number; areMany?: boolean }
): Promise<void> {
  const seed = Number(process.env.FC_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}, ${runs} runs`)
  const counts = new Map<string, number>()
  const seen = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 30, size: 'max' }), async (history) => {
      const model: History = { codes: [], seen }
      await ask('approve', 0).run(model, instances)
      await fc.asyncModelRun(() => ({ model, real: instances }), history)
      for (const code of model.codes) await checkRows(code, instances)
    }),
    { seed, numRuns: runs }
  )
  for (const [what, times] of [...counts].sort()) t.comment(`${what}: ${times}`)
  for (const what of [...SIGHTS, ...(areMany ? RARE_SIGHTS : [])]) t.ok(counts.has(what), `came by: ${what}`)
}

/** What histories have to come by, because one that never does tests nothing. */
const SIGHTS = [
  ...['asked: approve', 'asked: deny', 'approved again', 'refreshed', 'refused: refreshed'],
  ...['open', 'spent', 'revoked', 'over', 'forgotten', 'denied'].map((standing) => `${standing}, as it is meant`),
  ...['open, with another redirect URI', 'open, with another verifier', 'open, by another client'],
  ...['open, taken for a device code', 'spent, taken for a device code', 'one of several, on two instances']
]
/** What only many histories come by for certain. */
const RARE_SIGHTS = [
  ...Object.keys(ATTEMPTS).flatMap((name) => [`open, ${name}`, `spent, ${name}`]),
  ...['open in its last moment', 'over in its first', 'spent in its last moment', 'forgotten in its first'],
  ...['before a revocation', 'after a revocation', 'used', 'refused: used']
]

function commands(): fc.Arbitrary<Command>[] {
  const which = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) })
  const onOther = fc.nat(1)
  const right = fc.constantFrom<AttemptName>('as it is meant', 'as it is meant', 'without its redirect URI')
  const any = fc.constantFrom<AttemptName>(...Object.keys(ATTEMPTS))
  const attempts = fc.array(fc.tuple(fc.oneof(right, right, any), onOther), { minLength: 2, maxLength: 5 })
  const single = fc.tuple(fc.oneof(right, any, any), onOther).map((one) => [one])
  const moment = fc.record({ edge: fc.constantFrom(...EDGES), offMs: fc.integer({ min: -1, max: 0 }) })
  const when = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: moment })
  const revokedAfter = fc.constantFrom(...Array.from({ length: 16 }, () => undefined), 0, 0, 2, 5, 10, 40)
  const redeeming = (all: typeof single) =>
    fc.tuple(which, all, when, revokedAfter, fc.boolean()).map((parts) => redeem(...parts))
  const asking = fc
    .tuple(fc.constantFrom<Action>('approve', 'approve', 'approve', 'deny'), onOther)
    .map((parts) => ask(...parts))
  return [
    // Twice, because codes are open for a few commands only, and much has to be tried with an open one.
    ...[asking, asking],
    ...[redeeming(single), redeeming(single), redeeming(single), redeeming(attempts), redeeming(attempts)],
    fc.tuple(which, onOther).map((parts) => approveAgain(...parts)),
    fc.tuple(which, onOther).map((parts) => takeForDeviceCode(...parts)),
    fc.tuple(which, fc.boolean(), fc.boolean(), onOther).map((parts) => use(...parts)),
    fc.tuple(which, onOther).map((parts) => revoke(...parts)),
    fc.oneof(fc.nat(5_000), fc.nat(70_000)).map(wait)
  ]
}

/** The times at which the state of a code changes by itself. */
const EDGES = ['over', 'forgotten'] as const
const edgesOf = ({ answeredAtMs }: ModelCode) => ({
  over: answeredAtMs + CODE_LIFE_MS,
  forgotten: answeredAtMs + CODE_LIFE_MS + RETENTION_MS
})

type Standing = 'open' | 'spent' | 'revoked' | 'over' | 'forgotten' | 'denied'

function standingOf(code: ModelCode, nowMs: number): Standing {
  const { over, forgotten } = edgesOf(code)
  if (code.state === 'denied') return 'denied'
  if (nowMs >= forgotten) return 'forgotten'
  if (code.state === 'spent') return 'spent'
  if (nowMs >= over) return 'over'
  return code.isRevoked ? 'revoked' : 'open'
}

const codeOf = ({ codes }: History, which: number) => codes[codes.length - 1 - (which % codes.length)] as ModelCode

const command = (text: string, run: Command['run']): Command => ({ check: () => true, run, toString: () => text })

let users = 0

const ask = (action: Action, onOther: number) =>
  command(`ask(${action}, ${onOther})`, async ({ codes, seen }, instances) => {
    const [request, userId] = [codeRequest(), `user ${users++}`]
    const code = await answerAs(instances[onOther] as OAuthApp, request, userId, { action })
    const state = action === 'approve' ? 'open' : 'denied'
    const answeredAtMs = instances[0].clock()
    codes.push({ request, code, userId, answeredAtMs, state, isRevoked: false, tokens: undefined, usableUntilMs: 0 })
    seen(`asked: ${action}`)
  })

/** A form that is sent again, because its answer was lost, changes nothing, and leads on only while its code is still good. */
const approveAgain = (which: number, onOther: number) =>
  command(`approveAgain(${which}, ${onOther})`, async (history, instances) => {
    const model = codeOf(history, which)
    // What is forgotten can be asked anew, and a denied question is gone from the browser.
    const standing = standingOf(model, instances[0].clock())
    if (['denied', 'forgotten'].includes(standing)) return
    const comesTo = ['spent', 'over'].includes(standing) ? 'resolved' : 'decided'
    await answerAs(instances[onOther] as OAuthApp, model.request, model.userId, { code: model.code, comesTo })
    history.seen('approved again')
  })

/**
 * Redeems a code as often as there are attempts, all at once, and has its user revoke what it leads to at the same time, if they do:
 * some turns of the event loop later.
 */
const redeem = (
  which: number,
  attempts: readonly [AttemptName, number][],
  when: { edge: (typeof EDGES)[number]; offMs: number } | undefined,
  revokedAfter: number | undefined,
  isUsed: boolean
) =>
  command(
    `${when ? `at ${when.edge} ${when.offMs} ` : ''}redeem(${which}, ${attempts.join('; ')}, ${revokedAfter}, ${isUsed})`,
    async (history, instances) => {
      const model = codeOf(history, which)
      const { clock } = instances[0]
      if (when) clock.advance(Math.max(0, edgesOf(model)[when.edge] + when.offMs - clock()))
      const standing = standingOf(model, clock())
      note(history, model, standing, attempts, clock())
      const asked = attempts.map(([name, onOther]) => {
        const { parameters, client } = ATTEMPTS[name] as Attempt
        return redeemCode(instances[onOther] as OAuthApp, model.code, model.request, parameters(model), client)
      })
      const isRevokedToo = revokedAfter !== undefined
      for (let turns = 0; turns < (revokedAfter ?? 0); turns++) await turn()
      const revoking = isRevokedToo
        ? instances[0].app.core.authorizations.revokeAll(model.userId, 'owner', BY)
        : undefined
      const answers = await Promise.all(asked)
      await revoking
      const won = answers.filter(({ status }) => status === 200)
      for (const [i, { status, body }] of answers.entries()) {
        const [name] = attempts[i] as [AttemptName, number]
        if (status === 200 && ATTEMPTS[name]?.isRight) continue
        if (status !== 400 || body.error !== 'invalid_grant') {
          throw new Error(`${standing}, ${name}: ${status} ${JSON.stringify(body)}`)
        }
      }
      const rights = attempts.filter(([name]) => ATTEMPTS[name]?.isRight).length
      const most = standing === 'open' && rights > 0 ? 1 : 0
      const least = isRevokedToo ? 0 : most
      if (won.length > most || won.length < least)
        throw new Error(`${won.length} of ${rights} redeemed a code: ${standing}`)
      if (isRevokedToo && most > 0) history.seen(won.length > 0 ? 'before a revocation' : 'after a revocation')
      // A use beside one that brought tokens is a second one, as is one after it.
      const isSecond = rights > 0 && standing === 'spent'
      const isBeside = won.length > 0 && rights > 1
      if (won[0]) {
        model.state = 'spent'
        model.tokens = won[0].body
        model.usableUntilMs = clock() + won[0].body.expires_in * 1000
      }
      if (isRevokedToo || isSecond || isBeside) model.isRevoked = true
      await checkTokens(model, instances)
      if (won[0] && isUsed) await refresh(history, model, instances[1])
    }
  )

function note(
  { seen }: History,
  model: ModelCode,
  standing: Standing,
  attempts: readonly [AttemptName, number][],
  nowMs: number
) {
  const { over, forgotten } = edgesOf(model)
  for (const [name] of attempts) seen(`${standing}, ${name}`)
  const isRight = attempts.some(([name]) => ATTEMPTS[name]?.isRight)
  if (isRight && standing === 'open' && nowMs === over - 1) seen('open in its last moment')
  if (isRight && standing === 'over' && nowMs === over) seen('over in its first')
  if (isRight && standing === 'spent' && nowMs === forgotten - 1) seen('spent in its last moment')
  if (isRight && standing === 'forgotten' && nowMs === forgotten) seen('forgotten in its first')
  const rights = attempts.filter(([name]) => ATTEMPTS[name]?.isRight)
  if (standing !== 'open' || rights.length < 2) return
  seen('one of several')
  if (new Set(rights.map(([, onOther]) => onOther)).size > 1) seen('one of several, on two instances')
}

/** To whoever polls, withdraws or revokes with it, a code is nothing at all, and it stays as it is. */
const takeForDeviceCode = (which: number, onOther: number) =>
  command(`takeForDeviceCode(${which}, ${onOther})`, async (history, instances) => {
    const model = codeOf(history, which)
    const service = instances[onOther] as OAuthApp
    const polled = await service.redeem(model.code)
    const withVerifier = await service.post('/oauth/token', {
      ...{ ...CLI, grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: model.code },
      code_verifier: model.request.verifier
    })
    for (const { body } of [polled, withVerifier]) {
      if (body.error !== 'invalid_grant') throw new Error(`polled: ${JSON.stringify(body)}`)
    }
    const { status } = (await service.poll(model.code)).body
    if (status !== 'expired_token') throw new Error(`polled by the dashboard API: ${status}`)
    await service.call('POST', '/auth/grant/revoke', { body: { grant_code: model.code } })
    await service.revoke(model.code)
    history.seen(`${standingOf(model, instances[0].clock())}, taken for a device code`)
    await checkTokens(model, instances)
  })

/** Uses what a code has brought: the access token, or the refresh token. Half of the time it is that of a code that is well. */
const use = (which: number, isWell: boolean, isRefresh: boolean, onOther: number) =>
  command(`${isRefresh ? 'refresh' : 'use'}(${which}, ${isWell}, ${onOther})`, async (history, instances) => {
    const well = history.codes.findLast(({ tokens, isRevoked }) => tokens && !isRevoked)
    const model = (isWell && well) || codeOf(history, which)
    if (!model.tokens) return
    if (isRefresh) await refresh(history, model, instances[onOther] as OAuthApp)
    history.seen(model.isRevoked ? 'refused: used' : 'used')
    await checkTokens(model, instances)
  })

async function refresh({ seen }: History, model: ModelCode, service: OAuthApp): Promise<void> {
  const { status, body } = await service.refresh(model.tokens?.refresh_token ?? '')
  if ((status === 200) === model.isRevoked) throw new Error(`refreshed: ${status}`)
  seen(model.isRevoked ? 'refused: refreshed' : 'refreshed')
  if (status !== 200) return
  model.tokens = body
  model.usableUntilMs = service.clock() + body.expires_in * 1000
}

const revoke = (which: number, onOther: number) =>
  command(`revoke(${which}, ${onOther})`, async (history, instances) => {
    const model = codeOf(history, which)
    await (instances[onOther] as OAuthApp).app.core.authorizations.revokeAll(model.userId, 'owner', BY)
    model.isRevoked = true
    await checkTokens(model, instances)
  })

const wait = (ms: number) => command(`wait(${ms})`, async (_history, [{ clock }]) => clock.advance(ms))

/** An access token is good until it ends, or until its authorization is revoked, on every instance. */
async function checkTokens({ tokens, isRevoked, usableUntilMs }: ModelCode, instances: Instances): Promise<void> {
  if (!tokens) return
  for (const service of instances) {
    if (service.clock() >= usableUntilMs) continue
    const { status } = await service.userinfo(tokens.access_token)
    if (status !== (isRevoked ? 401 : 200)) throw new Error(`userinfo: ${status}, ${isRevoked ? '' : 'not '}revoked`)
  }
}

/** Whatever was collected is one row of its user's, which says whether it is revoked. */
async function checkRows({ userId, tokens, isRevoked }: ModelCode, [{ app }]: Instances): Promise<void> {
  const rows = await app.core.authorizations.list(userId)
  if (rows.length > 1 || (tokens && rows.length === 0)) throw new Error(`${rows.length} rows`)
  if (tokens && (rows[0]?.revokedAtMs !== undefined) !== isRevoked) throw new Error(`a row, ${isRevoked}`)
}
