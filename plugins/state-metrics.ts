/** The metrics of the state of this instance, looked up when somebody asks for the metrics. */
import fp from 'fastify-plugin'
import { isFault } from '../src/core/fault.js'

/** 1 if the check passes, 0 if it rejects with a fault. */
async function holds(check: () => Promise<void>): Promise<number> {
  try {
    await check()
    return 1
  } catch (error) {
    if (!isFault(error)) throw error
    return 0
  }
}

export interface StateMetricsOptions {
  /** How many lines the log had to drop. */
  droppedLogLines: () => number
}

export const stateMetrics = fp<StateMetricsOptions>(
  async (app, { droppedLogLines }) => {
    const { metrics, readiness, storage, config } = app
    const { signingKeys, heldPolls, webhooks } = app.core
    metrics.watch('grantd_ready', 'Whether this instance should get traffic, 1 or 0: what /readyz says.', () =>
      holds(readiness.check)
    )
    metrics.watch('grantd_storage_up', 'Whether Redis answers and may be used as it is set up, 1 or 0.', () =>
      holds(storage.check)
    )
    metrics.watch(
      'grantd_signing_key_timestamp_seconds',
      'Since when the signing key has been signing, in Unix time; 0 while there is none.',
      () => {
        const current = signingKeys.current()
        const key = signingKeys.list().find(({ kid }) => kid === current?.kid)
        return (key?.signsFromMs ?? 0) / 1000
      }
    )
    metrics.follow(
      'grantd_log_lines_dropped_total',
      'Lines of the log that were dropped, because nobody read them in time.',
      droppedLogLines
    )
    metrics.watch('grantd_held_polls_limit', 'How many polls may wait at a time.', () => config.heldPolls)
    metrics.watch('grantd_held_polls', 'Polls that wait for a decision at this moment.', heldPolls.count)
    metrics.watch(
      'grantd_webhook_oldest_seconds',
      'How old the oldest event is that a webhook does not have; 0 where another instance delivers.',
      () => webhooks?.status().oldestSeconds ?? 0
    )
    metrics.watch(
      'grantd_webhook_failed',
      'Events that were given up and are listed; 0 where another instance delivers.',
      () => webhooks?.status().failed ?? 0
    )
    metrics.watch(
      'grantd_webhook_stopped',
      'Webhooks that are stopped because their receiver is gone; 0 where another instance delivers.',
      () => webhooks?.status().stopped ?? 0
    )
    metrics.watch('grantd_decision_feed_up', 'Whether decisions are heard as they are taken, 1 or 0.', () =>
      Number(storage.decisions.isUp())
    )
  },
  { name: 'state-metrics', dependencies: ['metrics', 'readiness', 'storage', 'core', 'config'] }
)
