/** The counters and histograms of what happens. What happens with every request is counted by frequent-metrics.ts. */
import { Counter, type Registry } from 'prom-client'
import type { RevokedBy } from '../src/core/authorizations/authorizations.js'
import type { CoreConfig } from '../src/core/config.js'
import type { RefreshEvent } from '../src/core/connections/refresher.js'
import type { PollOutcome } from '../src/core/grants/grant.js'
import type { DomainOutcome } from '../src/core/issuers/domain-checks.js'
import type { DataLoss } from '../src/core/marker/data-loss.js'
import type { RefreshOutcome } from '../src/core/tokens/issued-tokens.js'
import type { Verdict } from '../src/core/upstream/upstream-answer.js'
import { createFrequentCounter, createLatencyHistogram } from './frequent-metrics.js'
import { createGrantMetrics } from './grant-metrics.js'
import { createWebhookCounters } from './webhook-metrics.js'

type SignInEvent = 'signed_in' | 'connected' | 'refused'

export type EventMetrics = ReturnType<typeof createEventMetrics>

/** Of the configuration: the upstreams whose answers are counted, the rules whose refusals are, and the webhooks whose deliveries are. */
type Counted = Pick<CoreConfig, 'upstreams' | 'rules' | 'webhooks'>

export function createEventMetrics(registry: Registry, { upstreams, rules, webhooks }: Counted) {
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
    'Keys in Redis of another type or content than they should have, which somebody else has written.'
  )
  const limited = counter('grantd_limited_total', 'Requests refused by a limit.', 'limit')
  const refreshes = counter('grantd_refreshes_total', 'Refresh tokens presented, by outcome.', 'outcome')
  const revocations = counter(
    'grantd_revocations_total',
    'Revocations by owners, by operators and by tokens, and those that a replayed refresh token or a code that was used twice led to.',
    'by'
  )
  // An alert watches for the first replay. Prometheus sees an increase only from a value that was there before, so zeros are set.
  for (const by of ['token', 'owner', 'operator', 'replay', 'code']) revocations.inc({ by }, 0)
  const shed = counter(
    'grantd_requests_shed_total',
    'Requests refused because there was more to do than could be done.'
  )
  const unreadEnded = counter(
    'grantd_unread_ended_total',
    'Requests that were ended before their body came, and connections without a request or with too many, to make room for others.',
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
  const dataLosses = counter(
    'grantd_data_lost_total',
    'How often it was noticed that data of Redis is gone, or may be.',
    'how'
  )
  // An alert watches for the first one.
  for (const how of ['replaced', 'gone_back', 'trail_lost']) dataLosses.inc({ how }, 0)
  const upstreamAnswers = counter(
    'grantd_provider_answers_total',
    'What identity providers answered, by provider and outcome.',
    'provider',
    'outcome'
  )
  // An alert watches for the first one, as with replays.
  for (const { id } of upstreams) upstreamAnswers.inc({ provider: id, outcome: 'misconfigured' }, 0)

  return {
    ...createWebhookCounters(registry, webhooks),
    ...createGrantMetrics(registry, rules),
    countPoll,
    countAnswer,
    observeAnswer,
    observeRedis,
    countForeignKey: () => foreignKeys.inc(),
    countLimited: (limit: string) => limited.inc({ limit }),
    countRefresh: (outcome: RefreshOutcome['kind']) => refreshes.inc({ outcome }),
    countRevocation: (by: RevokedBy) => revocations.inc({ by }),
    countMissedUserCode: () => missedUserCodes.inc(),
    countShed: () => shed.inc(),
    countUnreadEnded: (what: 'body' | 'body per address' | 'connection' | 'pipeline') => unreadEnded.inc({ what }),
    countSignIn: (outcome: SignInEvent) => signIns.inc({ outcome }),
    countUpstreamAnswer: (id: string, outcome: Verdict) => upstreamAnswers.inc({ provider: id, outcome }),
    countConnectionRefresh: (outcome: RefreshEvent) => connectionRefreshes.inc({ outcome }),
    countDataLoss: (how: DataLoss) => dataLosses.inc({ how }),
    countDomainCheck: (outcome: DomainOutcome) => domainChecks.inc({ outcome })
  }
}
