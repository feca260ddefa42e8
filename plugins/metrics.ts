/** The numbers of this instance, in a registry of its own (several instances can live in one process). */
import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RefreshEvent } from '../src/accounts/refresher.js'
import type { PollOutcome } from '../src/grants/grant.js'
import { createLatencyHistogram } from '../src/latency-histogram.js'
import type { RefreshOutcome } from '../src/tokens/service.js'

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
  countSignIn(outcome: SignInEvent): void
  countAccountRefresh(outcome: RefreshEvent): void
  /** Shows a number that somebody else keeps, read whenever it is asked for. */
  watch(name: string, help: string, read: () => number): void
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
    const polled = new Map<string, number>()
    new Counter({
      name: 'grantd_polls_total',
      help: 'Polls by outcome.',
      labelNames: ['outcome'],
      registers,
      collect() {
        this.reset()
        for (const [outcome, count] of polled) this.inc({ outcome }, count)
      }
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
      countPoll(outcome) {
        polled.set(outcome, (polled.get(outcome) ?? 0) + 1)
      },
      countGrant: (outcome) => grants.inc({ outcome }),
      observeDecision: (seconds) => decisions.observe(seconds),
      observeRedis,
      countLimited: (limit) => limited.inc({ limit }),
      countRefresh: (outcome) => refreshes.inc({ outcome }),
      countRevocation: (by) => revocations.inc({ by }),
      countSignIn: (outcome) => signIns.inc({ outcome }),
      countAccountRefresh: (outcome) => accountRefreshes.inc({ outcome }),
      watch(name, help, read) {
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read())
          }
        })
      },
      contentType: registry.contentType,
      text: () => registry.metrics()
    })
  },
  { name: 'metrics' }
)
