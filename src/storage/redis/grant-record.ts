/**
 * The stored text of a grant's request and decision. The request is an array without member names, to save memory: there may be
 * a million grants at a time.
 */
import { randomBytes } from 'node:crypto'
import type { ClientType } from '../../core/clients/client.js'
import { readScope, writeScope } from '../../core/clients/scope.js'
import type { ClientMetadata, Decision, GrantRequest, Location } from '../../core/grants/grant.js'

/** Values by position; trailing unknown ones are left out. The time of creation is the expiry minus `lifeMs`. */
type RequestText = [
  clientType: ClientType,
  name: string | null,
  version: string | null,
  hostname: string | null,
  os: string | null,
  ip: string,
  lifeMs: number,
  location?: string | null,
  country?: string | null,
  clientId?: string | null,
  scope?: string
]

interface DecisionText {
  user: string
  client: string
  ip: string
  /** `revokedAllId`. Absent in a decision of an older version's instance. */
  after?: string
}

export function writeRequest(request: GrantRequest, lifeMs: number): string {
  const { clientId, clientType, scopes, metadata, ip, location } = request
  const { name = null, version = null, hostname = null, os = null } = metadata
  const known: RequestText = [clientType, name, version, hostname, os, ip, lifeMs]
  // The id of a built-in client is its type, so it is left out.
  const rest = [
    location?.text,
    location?.country,
    clientId === clientType ? undefined : clientId,
    writeScope(scopes) || undefined
  ]
  const last = rest.findLastIndex((value) => value !== undefined)
  return JSON.stringify([...known, ...rest.slice(0, last + 1)])
}

export function writeDecision({ userId, authorizationId, ip, revokedAllId }: Decision): string {
  const known: DecisionText = { user: userId, client: authorizationId, ip }
  const text = revokedAllId === undefined ? known : { ...known, after: revokedAllId }
  return JSON.stringify(text)
}

/** The columns of the head that hold the end of a grant's life, as `slice` counts them; scripts/prologue.lua has them all. */
export const EXPIRES_AT = [8, 21] as const

/** Parses a whole record; scripts/prologue.lua describes its layout. */
export function readRecord(record: string): {
  request: GrantRequest
  createdAtMs: number
  expiresAtMs: number
  decision: Decision | undefined
} {
  const [head = '', requestLine = '', decisionLine] = record.split('\n')
  const [clientType, name, version, hostname, os, ip, lifeMs, place, country, clientId, scope] = JSON.parse(
    requestLine
  ) as RequestText
  const metadata = dropUnknown<ClientMetadata>({ name, version, hostname, os })
  const location = typeof place === 'string' ? dropUnknown<Location>({ text: place, country }) : undefined
  const scopes = readScope(scope) ?? []
  const expiresAtMs = Number(head.slice(...EXPIRES_AT))
  return {
    request: { clientId: clientId ?? clientType, clientType, scopes, metadata, ip, ...(location && { location }) },
    createdAtMs: expiresAtMs - lifeMs,
    expiresAtMs,
    // A withdrawn grant has a decision line without a decision (scripts/grant-withdraw.lua).
    decision: decisionLine === undefined || head.startsWith('w') ? undefined : readDecision(head, decisionLine)
  }
}

function readDecision(head: string, line: string): Decision {
  const { user, client, ip, after } = JSON.parse(line) as DecisionText
  const action = head.startsWith('d') ? 'deny' : 'approve'
  return { action, userId: user, authorizationId: client, ip, ...(after !== undefined && { revokedAllId: after }) }
}

function dropUnknown<T extends object>(value: { [K in keyof T]: T[K] | null | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null)) as T
}

const processPart = randomBytes(4).toString('base64url')
const COUNT_LIMIT = 36 ** 6
let count = 0

/**
 * The id of a poll, by which grant-poll.lua recognizes a command that the driver sent twice. It has the twelve characters that
 * the layout reserves: six random ones for the process and a counter of six. Collisions between distant polls are harmless,
 * because only the last polls of one grant are compared.
 */
export function nextPollId(): string {
  count = (count + 1) % COUNT_LIMIT
  return processPart + count.toString(36).padStart(6, '0')
}
