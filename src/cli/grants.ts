/** `grantd grants pending`: what waits for a decision. */

import { renderPending, renderPendingOf } from '../admin-views.js'
import type { Core } from '../core/index.js'
import type { ListOptions } from '../core/records/batches.js'
import type { OptionValues } from './arguments.js'
import { readLimit, table, when } from './print.js'

const USUAL = 50
const BATCH = 100

/** `isCounted`: whether the service counts them, which it does for its limits. */
export async function* runGrantsCommand(
  { pendingList }: Core,
  options: OptionValues,
  isCounted: boolean
): AsyncGenerator<string> {
  const most = readLimit(options.limit, USUAL)
  const clients = (await pendingList.byClient()).map(renderPendingOf)
  const data: ReturnType<typeof renderPending>[] = []
  let after: ListOptions['after']
  do {
    const { items, next } = await pendingList.page({ after, most: Math.min(BATCH, most - data.length) })
    data.push(...items.map(renderPending))
    after = next
  } while (after !== undefined && data.length < most)
  if (options.json) {
    yield JSON.stringify({ clients, data })
    return
  }
  if (clients.length === 0) {
    yield isCounted ? 'nothing waits' : 'pending grants are not counted with LIMITS=off'
    return
  }
  const counted = clients.map((one) => [`${one.count}`, when(one.oldest_started_at), one.client_id])
  yield* table(['WAIT', 'THE OLDEST SINCE', 'CLIENT'], counted)
  yield ''
  const rows = data.map((one) => [one.grant_id, when(one.started_at), one.client_id, whereOf(one)])
  yield* table(['GRANT', 'SINCE', 'CLIENT', 'FROM'], rows)
}

const whereOf = ({ ip, location }: ReturnType<typeof renderPending>) => (location === null ? ip : `${ip}, ${location}`)
