/** The text form of a grant's request and decision. Names are short: there are a million of these at once. */
import type { ClientMetadata, ClientType, Decision, GrantRequest, Location } from '../../grants/grant.js'

interface RequestText {
  t: ClientType
  n?: string | undefined
  v?: string | undefined
  h?: string | undefined
  o?: string | undefined
  ip: string
  l?: string | undefined
  c?: string | undefined
  /** Life in ms, from which the time of creation follows. */
  ms: number
}

interface DecisionText {
  user: string
  client: string
  ip: string
}

export function writeRequest({ clientType, metadata, ip, location }: GrantRequest, lifeMs: number): string {
  const text: RequestText = {
    t: clientType,
    n: metadata.name,
    v: metadata.version,
    h: metadata.hostname,
    o: metadata.os,
    ip,
    l: location?.text,
    c: location?.country,
    ms: lifeMs
  }
  return JSON.stringify(text)
}

export function writeDecision({ userId, authorizedClientId, ip }: Decision): string {
  const text: DecisionText = { user: userId, client: authorizedClientId, ip }
  return JSON.stringify(text)
}

/** Reads a whole record, whose layout scripts/grant-create.lua describes. */
export function readRecord(record: string): {
  request: GrantRequest
  createdAtMs: number
  decision: Decision | undefined
} {
  const [head = '', requestLine = '', decisionLine] = record.split('\n')
  const text = JSON.parse(requestLine) as RequestText
  const metadata = dropUndefined<ClientMetadata>({ name: text.n, version: text.v, hostname: text.h, os: text.o })
  const location = text.l === undefined ? undefined : dropUndefined<Location>({ text: text.l, country: text.c })
  return {
    request: { clientType: text.t, metadata, ip: text.ip, ...(location && { location }) },
    createdAtMs: Number(head.slice(2, 15)) - text.ms,
    decision: decisionLine === undefined ? undefined : readDecision(head, decisionLine)
  }
}

function readDecision(head: string, line: string): Decision {
  const { user, client, ip } = JSON.parse(line) as DecisionText
  return { action: head.startsWith('d') ? 'deny' : 'approve', userId: user, authorizedClientId: client, ip }
}

function dropUndefined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T
}
