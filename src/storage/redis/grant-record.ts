/**
 * The stored text of a grant: its request, and by decision-record.ts its decision. The request is an array without member names, to
 * save memory: there may be a million grants at a time.
 */
import type { ClientType } from '../../core/clients/client.js'
import { readScope, writeScope } from '../../core/clients/scope.js'
import type { ClientMetadata, Decision, GrantRequest, Location } from '../../core/grants/grant.js'
import { readDecision } from './decision-record.js'

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
  scope?: string,
  /** Identifiers of resources, separated by spaces. */
  resources?: string,
  codeChallenge?: string | null,
  redirectUri?: string | null,
  nonce?: string | null,
  /** That the request which started it had no User-Agent. */
  userAgent?: 'none' | null
]

export function writeRequest(request: GrantRequest, lifeMs: number): string {
  const { clientId, clientType, scopes, resources = [], metadata, ip, location } = request
  const { codeChallenge, redirectUri, nonce, hasNoUserAgent } = request
  const { name = null, version = null, hostname = null, os = null } = metadata
  const known: RequestText = [clientType, name, version, hostname, os, ip, lifeMs]
  // The id of a built-in client is its type, so it is left out.
  const rest = [
    location?.text,
    location?.country,
    clientId === clientType ? undefined : clientId,
    // A text even if it is empty, where another one follows: instances of older versions read a text or nothing here.
    [scopes, resources].some(({ length }) => length > 0) || codeChallenge !== undefined || hasNoUserAgent
      ? writeScope(scopes)
      : undefined,
    resources.join(' ') || undefined,
    codeChallenge,
    redirectUri,
    nonce,
    hasNoUserAgent && 'none'
  ]
  const last = rest.findLastIndex((value) => value !== undefined)
  return JSON.stringify([...known, ...rest.slice(0, last + 1)])
}

/** The columns of the head that hold the end of a grant's life, as `slice` counts them; scripts/prologue.lua has them all. */
export const EXPIRES_AT = [8, 21] as const

export interface GrantRecord {
  request: GrantRequest
  createdAtMs: number
  expiresAtMs: number
  decision: Decision | undefined
}

/** Parses a whole record, whose head a script has looked at; scripts/prologue.lua describes its layout. Undefined if it is none. */
export function readRecord(record: string): GrantRecord | undefined {
  const [head = '', requestLine, decisionLine] = record.split('\n')
  const text = parse(requestLine)
  // A withdrawn grant has a decision line without a decision (scripts/grant-withdraw.lua).
  const isDecided = !/^[pw]/.test(head)
  const decision = isDecided ? readDecision(head, parse(decisionLine)) : undefined
  if (!isRequest(text) || (isDecided && !decision)) return undefined
  const [clientType, name, version, hostname, os, ip, lifeMs, place, country, clientId, scope, resources, ...ofCode] =
    text
  const [codeChallenge, redirectUri, nonce, userAgent] = ofCode
  const metadata = dropUnknown<ClientMetadata>({ name, version, hostname, os })
  const location = typeof place === 'string' ? dropUnknown<Location>({ text: place, country }) : undefined
  const scopes = readScope(scope) ?? []
  const expiresAtMs = Number(head.slice(...EXPIRES_AT))
  return {
    request: {
      ...{ clientId: clientId ?? clientType, clientType, scopes, metadata, ip },
      ...(resources && { resources: resources.split(' ') }),
      ...(location && { location }),
      ...dropUnknown<Pick<GrantRequest, 'codeChallenge' | 'redirectUri' | 'nonce'>>({
        codeChallenge,
        redirectUri,
        nonce
      }),
      ...(userAgent === 'none' && { hasNoUserAgent: true })
    },
    createdAtMs: expiresAtMs - lifeMs,
    expiresAtMs,
    decision
  }
}

/** The value of a JSON text; undefined if it is none. */
function parse(text = ''): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isText = (value: unknown) => typeof value === 'string'
const isTextOrUnknown = (value: unknown) => value === undefined || value === null || isText(value)

function isRequest(value: unknown): value is RequestText {
  if (!Array.isArray(value)) return false
  const [clientType, name, version, hostname, os, ip, lifeMs, ...rest] = value
  return (
    isText(clientType) &&
    isText(ip) &&
    Number.isSafeInteger(lifeMs) &&
    [name, version, hostname, os, ...rest].every(isTextOrUnknown)
  )
}

function dropUnknown<T extends object>(value: { [K in keyof T]: T[K] | null | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null)) as T
}
