/** The numbers of this instance, in a registry of its own (several instances can live in one process). */
import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RefreshEvent } from '../src/core/connections/refresher.js'
import type { PollOutcome } from '../src/core/grants/grant.js'
import type { RefreshOutcome } from '../src/core/tokens/tokens.js'
import { createLatencyHistogram } from './latency-histogram.js'

type SignInEvent = 'signed_in' | 'connected' | 'refused'
type GrantEvent = 'started' | 'approved' | 'denied' | 'collected'

export interface Metrics {
  countPoll(outcome: PollOutcome['kind']): void
  countGrant(event: GrantEvent): void
  observeDecision(seconds: number): void
  observeRedis(command: string, seconds: number): void
  countLimited(limit: string): void
  countRefresh(outcome: RefreshOutcome['kind']): void
  countRevocation(by: 'token' | 'owner' | 'replay'): void
  countMissedUserCode(): void
  countShed(): void
  countSignIn(outcome: SignInEvent): void
  countConnectionRefresh(outcome: RefreshEvent): void
  countAnswer(status: number): void
  observeAnswer(operation: string, seconds: number): void
  /** Shows a number that somebody else keeps, read whenever it is asked for. */
  watch(name: string, help: string, read: () => number | Promise<number>): void
  contentType: string
  text(): Promise<string>
}

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}

export const metrics = fp(
  async (app) => {
    const registry = new Registry()
    // Process, memory, garbage collection and event-loop lag.
    collectDefaultMetrics({ register: registry })
    const registers = [registry]
    /** Counted here and handed over when asked: there are very many. */
    const countOften = <T extends string | number>(name: string, help: string, label: string) => {
      const counts = new Map<T, number>()
      new Counter({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset()
          for (const [value, count] of counts) this.inc({ [label]: value }, count)
        }
      })
      return (value: T) => {
        counts.set(value, (counts.get(value) ?? 0) + 1)
      }
    }
    const countPoll = countOften<PollOutcome['kind']>('grantd_polls_total', 'Polls by outcome.', 'outcome')
    const countAnswer = countOften<number>('grantd_answers_total', 'Answers to requests, by status.', 'status')
    const observeAnswer = createLatencyHistogram({
      name: 'grantd_answer_seconds',
      help: 'Seconds an answer took, by operation of the contract. Polls that were held are not among them.',
      label: 'operation',
      bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registry
    })
    const grants = new Counter({
      name: 'grantd_grants_total',
      help: 'Grants by what happened to them.',
      labelNames: ['outcome'],
      registers
    })
    const decisions = new Histogram({
      name: 'grantd_decision_seconds',
      help: 'Seconds from the code to the decision.',
      buckets: [5, 10, 20, 30, 60, 120, 300, 600, 900],
      registers
    })
    const observeRedis = createLatencyHistogram({
      name: 'grantd_redis_seconds',
      help: 'Seconds a call to Redis took, by command or script.',
      label: 'command',
      bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registry
    })
    const limited = new Counter({
      name: 'grantd_limited_total',
      help: 'Requests refused by a limit.',
      labelNames: ['limit'],
      registers
    })

    const refreshes = new Counter({
      name: 'grantd_refreshes_total',
      help: 'Refresh tokens presented, by outcome.',
      labelNames: ['outcome'],
      registers
    })
    const revocations = new Counter({
      name: 'grantd_revocations_total',
      help: 'Revocations by owners and by tokens, and those that a replayed refresh token led to.',
      labelNames: ['by'],
      registers
    })
    // An alert watches for the first replay: it can be told from the start only if there was a zero before it.
    for (const by of ['token', 'owner', 'replay']) revocations.inc({ by }, 0)
    const shed = new Counter({
      name: 'grantd_requests_shed_total',
      help: 'Requests refused because there was more to do than could be done.',
      registers
    })
    const missedUserCodes = new Counter({
      name: 'grantd_user_code_misses_total',
      help: 'User codes that were entered and are not there.',
      registers
    })
    const signIns = new Counter({
      name: 'grantd_sign_ins_total',
      help: 'Sign-ins on the pages and connected accounts, by outcome.',
      labelNames: ['outcome'],
      registers
    })
    const accountRefreshes = new Counter({
      name: 'grantd_account_refreshes_total',
      help: 'Refreshes of connected accounts at their providers, by outcome.',
      labelNames: ['outcome'],
      registers
    })

    app.decorate('metrics', {
      countPoll,
      countAnswer,
      observeAnswer,
      countGrant: (outcome) => grants.inc({ outcome }),
      observeDecision: (seconds) => decisions.observe(seconds),
      observeRedis,
      countLimited: (limit) => limited.inc({ limit }),
      countRefresh: (outcome) => refreshes.inc({ outcome }),
      countRevocation: (by) => revocations.inc({ by }),
      countMissedUserCode: () => missedUserCodes.inc(),
      countShed: () => shed.inc(),
      countSignIn: (outcome) => signIns.inc({ outcome }),
      countConnectionRefresh: (outcome) => accountRefreshes.inc({ outcome }),
      watch(name, help, read) {
        new Gauge({
          name,
          help,
          registers,
          async collect() {
            this.set(await read())
          }
        })
      },
      contentType: registry.contentType,
      text: () => registry.metrics()
    })
  },
  { name: 'metrics' }
)
