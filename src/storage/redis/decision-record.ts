/** The stored text of a decision, the third line of a grant (grant-record.ts). */
import { readScope, writeScope } from '../../core/clients/scope.js'
import type { Decision } from '../../core/grants/grant.js'

interface DecisionText {
  user: string
  client: string
  ip: string
  /** `revokedAllId`. Absent in a decision of an older version's instance. */
  after?: string
  /** `signedInAtMs`. */
  at?: number
  /** The scopes that are granted, '' for none. Absent if all are that were requested. */
  scope?: string
  /** The name of the rule that denied. */
  rule?: string
}

export function writeDecision(decision: Decision): string {
  const { userId, authorizationId, ip, revokedAllId, signedInAtMs, scopes, rule } = decision
  const text: DecisionText = {
    ...{ user: userId, client: authorizationId, ip },
    ...(revokedAllId !== undefined && { after: revokedAllId }),
    ...(signedInAtMs !== undefined && { at: signedInAtMs }),
    ...(scopes && { scope: writeScope(scopes) }),
    ...(rule !== undefined && { rule })
  }
  return JSON.stringify(text)
}

const isText = (value: unknown) => typeof value === 'string'

function isDecision(value: unknown): value is DecisionText {
  const { user, client, ip, after, at, scope, rule } = (value ?? {}) as Partial<DecisionText>
  const isTextOrUnknown = (text: unknown) => text === undefined || text === null || isText(text)
  const isWhole = [user, client, ip].every(isText) && [after, scope, rule].every(isTextOrUnknown)
  return isWhole && (at === undefined || Number.isSafeInteger(at))
}

/** The decision of a parsed line, for the head of its grant; undefined if it is none. */
export function readDecision(head: string, value: unknown): Decision | undefined {
  if (!isDecision(value)) return undefined
  const { user, client, ip, after, at, scope, rule } = value
  return {
    ...{ action: head.startsWith('d') ? 'deny' : 'approve', userId: user, authorizationId: client, ip },
    ...(after !== undefined && { revokedAllId: after }),
    ...(at !== undefined && { signedInAtMs: at }),
    ...(scope !== undefined && { scopes: readScope(scope) ?? [] }),
    ...(rule !== undefined && { rule })
  }
}
