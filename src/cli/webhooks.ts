/** `grantd webhooks …`: how far webhooks have come, what was given up, and how it goes on. */
import { isoTime, isoTimeOrNull } from '../core/clock.js'
import type { EndpointOverview, Webhooks } from '../core/webhooks/webhooks.js'

export interface WebhookOptions {
  json?: boolean | undefined
  all?: boolean | undefined
}

type Failed = Awaited<ReturnType<Webhooks['failed']>>[number]

/** Runs one command and resolves to the lines to print. Rejects with an Error whose message is meant for the operator. */
export async function runWebhooksCommand(
  webhooks: Webhooks | undefined,
  command: string,
  [id]: readonly string[],
  { json, all }: WebhookOptions
): Promise<string[]> {
  if (!webhooks) throw new Error('there are no webhooks: set WEBHOOKS_FILE as the service has it')
  if (command === 'list') {
    const endpoints = await webhooks.list()
    return json ? [JSON.stringify(endpoints.map(toJson))] : endpoints.flatMap(describe)
  }
  if (command === 'failed') {
    const failed = await webhooks.failed()
    if (json) return [JSON.stringify(failed.map(failedToJson))]
    return failed.length > 0 ? failed.map(describeFailed) : ['nothing was given up']
  }
  if (command === 'resend') {
    if ((id !== undefined) === (all === true)) throw new Error('name one delivery by its ID, or all of them with --all')
    const ids = all || id === undefined ? (await webhooks.failed()).map((delivery) => delivery.id) : [id]
    const resent = await webhooks.resend(ids)
    if (resent === 0 && !all) throw new Error(`no failed delivery has the id ${id}, or it is being given up now`)
    return [json ? JSON.stringify({ resent }) : `sent again: ${resent}`]
  }
  if (id === undefined || !(await webhooks.resume(id))) throw new Error(`there is no webhook ${id}`)
  return [json ? JSON.stringify({ resumed: id }) : `${id} goes on`]
}

/** The host alone: the rest of a URL may have a secret in it. */
const hostOf = (url: string) => new URL(url).host

function toJson({ endpoint, cursor, stoppedAtMs, gaps, waiting, failed }: EndpointOverview) {
  return {
    ...{ id: endpoint.id, host: hostOf(endpoint.url), types: endpoint.types },
    state: stoppedAtMs === undefined ? 'running' : 'stopped',
    stopped_at: isoTimeOrNull(stoppedAtMs),
    delivered_until: isoTimeOrNull(cursor?.atMs),
    ...{ waiting, failed },
    gaps: gaps.map(({ fromMs, untilMs }) => ({ from: isoTime(fromMs), until: isoTime(untilMs) }))
  }
}

function describe(overview: EndpointOverview): string[] {
  const { id, host, types, stopped_at, delivered_until, waiting, failed, gaps } = toJson(overview)
  const state = stopped_at === null ? `read until ${delivered_until ?? 'nothing yet'}` : `stopped since ${stopped_at}`
  return [
    `${id}  ${host}  ${types.join(',')}  ${state}, ${waiting} waiting, ${failed} given up`,
    ...gaps.map(({ from, until }) => `${id}  missed events between ${from} and ${until}: the trail had dropped them`)
  ]
}

function failedToJson({ id, event, attempts, takenAtMs, failedAtMs, lastOutcome }: Failed) {
  const about = { type: event.type, at: isoTime(event.atMs), user_id: event.userId ?? null }
  return {
    id,
    ...about,
    attempts,
    since: isoTime(takenAtMs),
    failed_at: isoTime(failedAtMs),
    outcome: lastOutcome ?? null
  }
}

function describeFailed(delivery: Failed): string {
  const { id, type, at, attempts, failed_at, outcome } = failedToJson(delivery)
  return `${id}  ${type} of ${at}, ${attempts} attempts until ${failed_at}, the last one ${outcome}`
}
