/**
 * app.metrics: the numbers of this instance, in a registry of its own (several instances can live in one process). What
 * happens with every request is counted by frequent-metrics.ts, what is looked up when somebody asks by state-metrics.ts.
 */
import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RevokedBy } from '../src/core/authorizations/authorizations.js'
import type { RefreshEvent } from '../src/core/connections/refresher.js'
import type { PollOutcome } from '../src/core/grants/grant.js'
import type { DomainOutcome } from '../src/core/issuers/domain-checks.js'
import type { RefreshOutcome } from '../src/core/tokens/issued-tokens.js'
import type { Verdict } from '../src/core/upstream/upstream-answer.js'
import { createFrequentCounter, createLatencyHistogram } from './frequent-metrics.js'

type SignInEvent = 'signed_in' | 'connected' | 'refused'
type GrantEvent = 'started' | 'approved' | 'denied' | 'collected'

export interface Metrics {
  countPoll(outcome: PollOutcome['kind']): void
  countGrant(event: GrantEvent): void
  observeDecision(seconds: number): void
  observeRedis(command: string, seconds: number): void
  countForeignKey(): void
  countLimited(limit: string): void
  countRefresh(outcome: RefreshOutcome['kind']): void
  countRevocation(by: RevokedBy): void
  countMissedUserCode(): void
  countShed(): void
  countUnreadEnded(what: 'body' | 'body per address' | 'connection'): void
  countSignIn(outcome: SignInEvent): void
  countConnectionRefresh(outcome: RefreshEvent): void
  countDomainCheck(outcome: DomainOutcome): void
  countProviderAnswer(provider: string, outcome: Verdict): void
  countAnswer(status: number): void
  observeAnswer(operation: string, seconds: number): void
  /** Shows a number that somebody else keeps, read whenever it is asked for. */
  watch(name: string, help: string, read: () => number | Promise<number>): void
  /** Shows a count that somebody else keeps, in the same way. */
  follow(name: string, help: string, read: () => number): void
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

    const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
      new Counter({ name, help, labelNames, registers })

    const countPoll = createFrequentCounter<PollOutcome['kind']>({
      name: 'grantd_polls_total',
      help: 'Polls by outcome.',
      label: 'outcome',
      registry
    })
    const countAnswer = createFrequentCounter<number>({
      name: 'grantd_answers_total',
      help: 'Answers to requests, by status.',
      label: 'status',
      registry
    })
    const observeAnswer = createLatencyHistogram({
      name: 'grantd_answer_seconds',
      help: 'Seconds an answer took, by operation of the contract. Polls that were held are not among them.',
      label: 'operation',
      bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registry
    })
    const grants = counter('grantd_grants_total', 'Grants by what happened to them.', 'outcome')
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
    // The library shows a counter without labels from the start, as the alert needs it.
    const foreignKeys = counter(
      'grantd_redis_foreign_keys_total',
      'Calls to Redis that met a key of the wrong type, which somebody else has written.'
    )
    const limited = counter('grantd_limited_total', 'Requests refused by a limit.', 'limit')
    const refreshes = counter('grantd_refreshes_total', 'Refresh tokens presented, by outcome.', 'outcome')
    const revocations = counter(
      'grantd_revocations_total',
      'Revocations by owners and by tokens, and those that a replayed refresh token led to.',
      'by'
    )
    // An alert watches for the first replay. Prometheus sees an increase only from a value that was there before, so zeros are set.
    for (const by of ['token', 'owner', 'replay']) revocations.inc({ by }, 0)
    const shed = counter(
      'grantd_requests_shed_total',
      'Requests refused because there was more to do than could be done.'
    )
    const unreadEnded = counter(
      'grantd_unread_ended_total',
      'Requests that were ended before their body came, and connections without a request, to make room for others.',
      'what'
    )
    const missedUserCodes = counter('grantd_user_code_misses_total', 'User codes that were entered and are not there.')
    const signIns = counter(
      'grantd_sign_ins_total',
      'Sign-ins on the pages and connected accounts, by outcome.',
      'outcome'
    )
    const connectionRefreshes = counter(
      'grantd_account_refreshes_total',
      'Refreshes of connected accounts at their providers, by outcome.',
      'outcome'
    )

    const domainChecks = counter(
      'grantd_domain_checks_total',
      'Custom domains that were proved again or lost, by outcome.',
      'outcome'
    )
    // The first loss is an increase only from a zero.
    for (const outcome of ['missing', 'lost', 'taken_over']) domainChecks.inc({ outcome }, 0)
    const providerAnswers = counter(
      'grantd_provider_answers_total',
      'What identity providers answered, by provider and outcome.',
      'provider',
      'outcome'
    )
    // An alert watches for the first one, as with replays.
    for (const { id } of app.config.upstreams) providerAnswers.inc({ provider: id, outcome: 'misconfigured' }, 0)

    app.decorate('metrics', {
      countPoll,
      countAnswer,
      observeAnswer,
      countGrant: (outcome) => grants.inc({ outcome }),
      observeDecision: (seconds) => decisions.observe(seconds),
      observeRedis,
      countForeignKey: () => foreignKeys.inc(),
      countLimited: (limit) => limited.inc({ limit }),
      countRefresh: (outcome) => refreshes.inc({ outcome }),
      countRevocation: (by) => revocations.inc({ by }),
      countMissedUserCode: () => missedUserCodes.inc(),
      countShed: () => shed.inc(),
      countUnreadEnded: (what) => unreadEnded.inc({ what }),
      countSignIn: (outcome) => signIns.inc({ outcome }),
      countProviderAnswer: (provider, outcome) => providerAnswers.inc({ provider, outcome }),
      countConnectionRefresh: (outcome) => connectionRefreshes.inc({ outcome }),
      countDomainCheck: (outcome) => domainChecks.inc({ outcome }),
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
      follow(name, help, read) {
        new Counter({
          name,
          help,
          registers,
          collect() {
            this.reset()
            this.inc(read())
          }
        })
      },
      contentType: registry.contentType,
      text: () => registry.metrics()
    })
  },
  { name: 'metrics', dependencies: ['config'] }
)
