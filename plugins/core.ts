/** app.core: the rules, whose events go to the metrics and the log. Opened and closed with the application. */
import fp from 'fastify-plugin'
import { type Core, type CoreEvents, createCore } from '../src/core/index.js'
import { webhookEvents } from './webhook-events.js'

declare module 'fastify' {
  interface FastifyInstance {
    core: Core
  }
}

/** What an operator is told of a custom domain; that one was proved again, or nobody answered, is only counted. */
const DOMAIN_SENTENCES: Partial<Record<Parameters<CoreEvents['domainChecked']>[0], string>> = {
  missing: 'the challenge of a verified custom domain is published no more; the domain is lost in three days',
  lost: 'a custom domain is lost: its challenge was not published for three days',
  taken_over: 'a custom domain is lost: another issuer has proved it'
}

/** What the log says of data that was lost, or may have been. */
const LOSS_SENTENCES = {
  replaced: 'Redis has been emptied, or is another one: data is lost',
  gone_back: 'Redis has gone back to an earlier state: what was written since is lost, revocations among it',
  trail_lost: 'the audit trail has lost events that it had',
  paused:
    'no instance has used Redis for some minutes: the service was stopped, or this is an older copy, after which "grantd restore" must be run',
  unmarked:
    'Redis has keys of grantd and no marker: this is the first start of a version that makes one, or an older copy, after which "grantd restore" must be run'
}

/** What the log says of an upstream's answer that led nowhere. */
const UPSTREAM_SENTENCES = {
  answered: 'an identity provider answered',
  refused: 'an identity provider refused a request',
  misconfigured: 'an identity provider does not accept this service as its client: look at its entry in PROVIDERS_FILE',
  unreadable: 'the answer of an identity provider cannot be used',
  unacceptable: 'the answer of an identity provider proves nothing',
  ill: 'an identity provider is in trouble'
}

export interface CoreOptions {
  /** Takes a line of the audit trail, for AUDIT_LOG=stdout. */
  writeAuditLine?: (line: string) => void
}

const toStandardOutput = (line: string) => void process.stdout.write(line)

export const core = fp<CoreOptions>(
  async (app, { writeAuditLine = toStandardOutput }) => {
    const { storage, config, clock, signer, metrics, whereabouts } = app
    const events: CoreEvents = {
      started: () => metrics.countGrant('started', 'device'),
      polled: metrics.countPoll,
      decided(action, seconds, flow) {
        metrics.countGrant(action === 'approve' ? 'approved' : 'denied', flow)
        metrics.observeDecision(seconds)
      },
      collected: (flow) => metrics.countGrant('collected', flow),
      ruleRefused: metrics.countRuleRefusal,
      redeemed: metrics.countRedemption,
      refreshed: metrics.countRefresh,
      revoked: metrics.countRevocation,
      connectionRefreshed: metrics.countConnectionRefresh,
      domainChecked(outcome, about) {
        metrics.countDomainCheck(outcome)
        const said = DOMAIN_SENTENCES[outcome]
        if (said !== undefined) app.log.warn(about, said)
      },
      domainCheckFailed: (error) => app.log.error({ err: error }, 'a custom domain could not be checked'),
      upstreamAnswered: metrics.countUpstreamAnswer,
      upstreamRefused(upstreamId, verdict, detail) {
        const level = verdict === 'misconfigured' ? 'error' : verdict === 'refused' ? 'info' : 'warn'
        app.log[level]({ provider: upstreamId, detail }, UPSTREAM_SENTENCES[verdict])
      },
      ...webhookEvents(metrics, app.log),
      told: config.auditLog === 'off' ? undefined : (event) => writeAuditLine(`${JSON.stringify(event)}\n`),
      signingKeysFailed: (error) => app.log.error({ err: error }, 'the signing keys could not be read'),
      dataLost(how, detail) {
        metrics.countDataLoss(how)
        app.log.warn({ how, detail }, LOSS_SENTENCES[how])
      },
      beatFailed: (error) => app.log.error({ err: error }, 'the marker of Redis could not be looked at'),
      revocationSweepFailed: (error) => app.log.error({ err: error }, 'the revocations could not be looked through')
    }
    const pending = config.limits !== 'off' && {
      perAddress: config.limits.pendingPerIp,
      perClient: config.limits.pendingPerClient,
      networkOf: whereabouts.countedAs,
      siteOf: whereabouts.siteOf,
      refused: (counted: string) => metrics.countLimited(`pending grants ${counted}`)
    }
    const limitTime = app.withinHalfTheLimit
    const parts = { storage, config, clock, signer, events, limitTime, networkOf: whereabouts.countedAs }
    const core = createCore(pending ? { ...parts, pending } : parts)
    app.decorate('core', core)
    // Held polls are answered, not cut off, when the instance stops.
    app.addHook('preClose', async () => core.heldPolls.stop())
    app.addHook('onClose', () => core.close())
    await core.open()
    core.dataWatch.start()
    core.webhooks?.start()
  },
  { name: 'core', dependencies: ['config', 'storage', 'metrics', 'jwt', 'time-limit', 'whereabouts'] }
)
