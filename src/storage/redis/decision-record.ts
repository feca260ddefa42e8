/** The stored text of a decision, the third line of a grant (grant-record.ts). */
import type { Decision } from '../../core/grants/grant.js'

interface DecisionText {
  user: string
  client: string
  ip: string
  /** `revokedAllId`. Absent in a decision of an older version's instance. */
  after?: string
  /** `signedInAtMs`. */
  at?: number
}

export function writeDecision({ userId, authorizationId, ip, revokedAllId, signedInAtMs }: Decision): string {
  const text: DecisionText = {
    ...{ user: userId, client: authorizationId, ip },
    ...(revokedAllId !== undefined && { after: revokedAllId }),
    ...(signedInAtMs !== undefined && { at: signedInAtMs })
  }
  return JSON.stringify(text)
}

const isText = (value: unknown) => typeof value === 'string'

function isDecision(value: unknown): value is DecisionText {
  const { user, client, ip, after, at } = (value ?? {}) as Partial<DecisionText>
  const isWhole = [user, client, ip].every(isText) && (after === undefined || after === null || isText(after))
  return isWhole && (at === undefined || Number.isSafeInteger(at))
}

/** The decision of a parsed line, for the head of its grant; undefined if it is none. */
export function readDecision(head: string, value: unknown): Decision | undefined {
  if (!isDecision(value)) return undefined
  const { user, client, ip, after, at } = value
  return {
    ...{ action: head.startsWith('d') ? 'deny' : 'approve', userId: user, authorizationId: client, ip },
    ...(after !== undefined && { revokedAllId: after }),
    ...(at !== undefined && { signedInAtMs: at })
  }
}
