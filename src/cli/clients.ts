/** `grantd clients list|show|revoke`: authorizations, of one user or of all. The secret of an OAuth client is in keys.ts. */
import type { AdminClient } from '../../schemas/generated/admin.js'
import { renderClient } from '../admin-views.js'
import { BY_OPERATOR } from '../core/audit/event.js'
import type { Authorization } from '../core/authorizations/authorization.js'
import { CLIENT_TYPES } from '../core/clients/client.js'
import type { Core } from '../core/index.js'
import type { List, ListOptions } from '../core/records/batches.js'
import type { OptionValues } from './arguments.js'
import { facts, jsonList, plain, readLimit, when } from './print.js'

const BATCH = 200

export async function* runClientsCommand(
  core: Core,
  verb: string,
  [id = '']: readonly string[],
  options: OptionValues
): AsyncGenerator<string> {
  if (verb === 'list') {
    const batches = listed(core, options)
    if (options.json) yield* jsonList(batches)
    else for await (const batch of batches) for (const client of batch) yield* linesOf(client)
    return
  }
  const authorization =
    verb === 'revoke' ? await core.measures.revoke(id, BY_OPERATOR) : await core.allAuthorizations.findById(id)
  if (!authorization) throw new Error(`there is no authorization ${plain(id)}`)
  const client = renderClient(authorization, Date.now())
  if (options.json) yield JSON.stringify(client)
  else yield* shown(client)
}

async function* listed(core: Core, options: OptionValues): AsyncGenerator<AdminClient[]> {
  const { user, revoked, active, 'client-id': clientId, 'client-type': clientType } = options
  if (revoked && active) throw new Error('--revoked and --active exclude each other')
  if (clientType !== undefined && !CLIENT_TYPES.some((type) => type === clientType)) {
    throw new Error(`--client-type: there is no type ${plain(`${clientType}`)}; there are ${CLIENT_TYPES.join(', ')}`)
  }
  const isWanted = ({ client_id, client_type, state }: AdminClient) =>
    (clientId === undefined || client_id === clientId) &&
    (clientType === undefined || client_type === clientType) &&
    (!revoked || state === 'revoked') &&
    (!active || state === 'active' || state === 'awaiting_collection')
  const read =
    typeof user === 'string' ? ofUser(core, user) : (list: ListOptions) => core.allAuthorizations.search({}, list)
  let left = readLimit(options.limit, Number.POSITIVE_INFINITY)
  const seen = new Set<string>()
  let after: ListOptions['after']
  do {
    const { items, next } = await read({ after, most: BATCH })
    const nowMs = Date.now()
    const found = items.map((one) => renderClient(one, nowMs)).filter((one) => isWanted(one) && !seen.has(one.id))
    // A walk through everything may come upon one twice, in steps that are near each other.
    if (seen.size > 100_000) seen.clear()
    for (const { id } of found) seen.add(id)
    yield found.slice(0, left)
    left -= found.length
    after = next
  } while (after !== undefined && left > 0)
}

function ofUser(core: Core, userId: string): (options: ListOptions) => Promise<List<Authorization>> {
  return async (options) => {
    const { authorizations, next } = await core.authorizations.page(userId, options)
    return { items: authorizations, next }
  }
}

/** Two lines that fit a terminal: what it is, and whose. */
export function linesOf(client: AdminClient): string[] {
  const { id, client_id, state, label, user_id, last_used_at } = client
  const used = last_used_at ? `last used ${when(last_used_at)}` : 'not collected'
  return [
    `${id}  ${state.padEnd(19)}  ${plain(client_id)}`,
    `    user ${plain(user_id)}, ${used}${label === null ? '' : `, ${plain(label)}`}`
  ]
}

function shown(client: AdminClient): string[] {
  const { scopes, resources, state, client_name: name, client_version: version } = client
  return facts({
    id: client.id,
    user: client.user_id,
    client: client.client_id,
    type: client.client_type,
    name: name === null ? undefined : [name, version].filter((part) => part !== null).join(' '),
    label: client.label ?? undefined,
    state,
    scopes: scopes.length > 0 ? scopes.join(' ') : undefined,
    resources: resources.length > 0 ? resources.join(' ') : undefined,
    'approved at': `${when(client.created_at)} from ${client.ip_at_grant}`,
    'collected at': when(client.collected_at),
    'last used': when(client.last_used_at),
    ends: when(client.expires_at),
    'revoked at': when(client.revoked_at)
  })
}
