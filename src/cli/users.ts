/** `grantd users …`: who somebody is here, and what to do about them. */
import type { AdminUser } from '../../schemas/generated/admin.js'
import { renderClient, renderUser } from '../admin-views.js'
import { BY_OPERATOR } from '../core/audit/event.js'
import type { Person, PersonQuery } from '../core/directory/directory.js'
import type { Core } from '../core/index.js'
import type { ListOptions } from '../core/records/batches.js'
import { LARGEST_PAGE } from '../core/records/record-store.js'
import type { OptionValues } from './arguments.js'
import { linesOf } from './clients.js'
import { facts, plain, table, when } from './print.js'

export async function* runUsersCommand(
  core: Core,
  verb: string,
  [id = '']: readonly string[],
  options: OptionValues
): AsyncGenerator<string> {
  if (verb === 'find') yield* find(core, options)
  else if (verb === 'index') yield* index(core, options)
  else if (verb === 'revoke-all') {
    const revoked = known(await core.measures.revokeAll(id, BY_OPERATOR), id)
    if (options.json) yield JSON.stringify({ user_id: id, revoked })
    else yield `${revoked} revoked, and no session of the pages goes on`
  } else if (verb === 'show') yield* show(core, id, options)
  else {
    const change = verb === 'block' ? core.measures.block : core.measures.unblock
    const user = renderUser(known(await change(id, BY_OPERATOR), id))
    yield options.json ? JSON.stringify(user) : `${plain(user.id)} is ${user.blocked ? 'blocked' : 'not blocked'}`
  }
}

function known<T>(answer: T | undefined, id: string): T {
  if (answer === undefined) throw new Error(`nothing is known of a user ${plain(id)}`)
  return answer
}

async function* find(core: Core, options: OptionValues): AsyncGenerator<string> {
  const query = readQuery(options)
  const users: AdminUser[] = []
  for await (const batch of found(core, query)) users.push(...batch)
  // Programs get their document either way, and the same code as people.
  if (options.json) yield JSON.stringify({ data: users })
  if (users.length === 0) throw new Error('nobody is known by that')
  if (options.json) return
  yield* table(['ID', 'NAME', 'ACTIVE', 'BLOCKED', 'E-MAIL'], users.map(rowOf))
}

function readQuery({ id, email, provider, subject }: OptionValues): PersonQuery {
  const text = (value: OptionValues[string]) => (typeof value === 'string' ? value : undefined)
  const [upstreamId, its] = [text(provider), text(subject)]
  if ((upstreamId === undefined) !== (its === undefined)) throw new Error('--provider and --subject go together')
  if (id === undefined && email === undefined && upstreamId === undefined) {
    throw new Error('say who is looked for: --email, --id, or --provider and --subject')
  }
  const identity = upstreamId !== undefined && its !== undefined ? { upstreamId, subject: its } : undefined
  return { userId: text(id), email: text(email), identity }
}

async function* found(core: Core, query: PersonQuery): AsyncGenerator<AdminUser[]> {
  let after: ListOptions['after']
  do {
    const { items, next } = await core.directory.find(query, { after, most: LARGEST_PAGE })
    yield items.map(renderUser)
    after = next
  } while (after !== undefined)
}

const rowOf = ({ id, name, email, blocked, counts }: AdminUser): string[] => [
  ...[id, name ?? '-', `${counts.active}`, blocked ? 'yes' : 'no', email ?? '-']
]

async function* show(core: Core, id: string, options: OptionValues): AsyncGenerator<string> {
  const user = renderUser(known<Person>(await core.directory.show(id), id))
  const nowMs = Date.now()
  const clients = (await core.authorizations.list(id)).map((one) => renderClient(one, nowMs))
  if (options.json) {
    yield JSON.stringify({ ...user, clients })
    return
  }
  const { counts, identities } = user
  yield* facts({
    id: user.id,
    name: user.name ?? undefined,
    'e-mail': user.email === null ? undefined : `${user.email}${user.email_verified ? ', verified' : ''}`,
    identities: identities.map(({ provider, subject }) => `${provider} ${subject}`).join(', ') || undefined,
    blocked: user.blocked ? `since ${when(user.blocked_at)}` : 'no',
    granted: `${counts.active} active, ${counts.awaiting_collection} of them not collected yet`,
    accounts: `${counts.accounts} connected`
  })
  for (const client of clients) yield* linesOf(client)
}

async function* index(core: Core, options: OptionValues): AsyncGenerator<string> {
  const { seen, added } = await core.completeIndexes(() => {})
  yield options.json ? JSON.stringify({ seen, added }) : `${seen} looked at, ${added} added`
}
