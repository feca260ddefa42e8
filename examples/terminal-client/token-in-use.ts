/**
 * What the client does with its JWT: decodes it, finds its own row in the user's list of clients, revokes itself, and gets a
 * 401. The token is a secret and is never shown; only decoded claims are.
 */
import { decodeJwt } from 'jose'
import { type Api, refused } from './api.js'
import { localTime, printable, type Screen } from './screen.js'

export interface Self {
  token: string
  cid: string
}

const DAY_SECONDS = 86_400

/**
 * Shows the claims without verifying the signature: the token came directly from the service, which verifies it at each use.
 */
export function showIdentity(screen: Screen, token: string): Self {
  const { sub, client_type: clientType, cid, iat = 0, exp = 0 } = decodeJwt<{ cid: string; client_type: string }>(token)
  screen.heading('Who it is now, read from the JWT')
  screen.pairs({
    user: sub,
    'client type': clientType,
    'client id': cid,
    issued: localTime(new Date(iat * 1000)),
    expires: `${localTime(new Date(exp * 1000))}, after ${inDays(exp - iat)}`
  })
  return { token, cid }
}

export async function showOwnRow(screen: Screen, api: Api, { token, cid }: Self): Promise<void> {
  const answer = await api.call('GET', '/auth/clients', { token })
  if (answer.status !== 200) throw refused('the list of clients failed', answer)
  const rows = Array.isArray(answer.body.data) ? answer.body.data.map(readRow) : []
  const own = rows.find((row) => row.id === cid)
  if (!own) throw new Error('the client is not in the list of its owner')

  screen.heading('Its row in GET /auth/clients')
  screen.table(
    ['id', 'type', 'name', 'label', 'approved from', 'state'],
    [[own.id.slice(0, 8), own.client_type, own.client_name, own.label, own.ip_at_grant, stateOf(own)]]
  )
  if (rows.length > 1) screen.line(screen.style('dim', `and ${rows.length - 1} more of the same user`))
}

export async function revokeItself(screen: Screen, api: Api, { token, cid }: Self): Promise<void> {
  screen.heading('It revokes itself')
  const revoked = await api.call('DELETE', `/auth/clients/${encodeURIComponent(cid)}`, { token })
  if (revoked.status !== 200) throw refused('the revocation failed', revoked)
  const { revoked_at: revokedAt } = readRow(revoked.body)
  showCall(screen, 'DELETE /auth/clients/…', 200, `revoked at ${localTime(new Date(revokedAt))}`)

  const after = await api.call('GET', '/auth/clients', { token })
  if (after.status !== 401) throw refused('the revoked JWT was not refused', after)
  showCall(screen, 'GET    /auth/clients', 401, String(after.body.error))
  screen.line()
  screen.line('That is the whole life of a grant.')
}

function showCall(screen: Screen, request: string, status: number, said: string): void {
  const colour = status === 200 ? 'green' : 'red'
  screen.line(`${request.padEnd(24)}${screen.style(colour, String(status))}  ${printable(said)}`)
}

type Row = Record<
  'id' | 'client_type' | 'client_name' | 'label' | 'ip_at_grant' | 'last_used_at' | 'revoked_at' | 'is_current',
  string
>

/** A row with all values as text; null becomes the empty string. */
function readRow(row: unknown): Row {
  const texts = Object.entries(Object(row)).map(([name, value]) => [name, value === null ? '' : String(value)])
  return Object.fromEntries(texts)
}

function stateOf(row: Row): string {
  if (row.revoked_at) return 'revoked'
  return row.is_current === 'true' ? 'active, asking' : 'active'
}

const inDays = (seconds: number) =>
  seconds >= DAY_SECONDS ? `${Math.round(seconds / DAY_SECONDS)} days` : `${Math.round(seconds / 60)} minutes`
