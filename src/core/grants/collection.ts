/**
 * The collection of an approved grant, of a device or of a code: the one order of its steps. Every step that can fail comes before
 * the claim, and tokens are handed out only after it.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Approvals } from '../authorizations/approvals.js'
import { CODE_GRANT, DEVICE_CODE_GRANT, isKnownByUrl } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import { staysOnDevice } from '../clients/redirect-uri.js'
import { targetOf } from '../clients/resource.js'
import { digestOf, isSame } from '../secrets/digest.js'
import type { IssuedTokens } from '../tokens/issued-tokens.js'
import type { Tokens } from '../tokens/tokens.js'
import { type Collecting, type Flow, flowOf, type GrantRequest } from './grant.js'
import { collectionTold } from './grant-events.js'
import type { ApprovedGrant } from './grant-store.js'
import { nameFromUserAgent } from './user-agent.js'

export interface CollectionParts {
  approvals: Approvals
  clients: Clients
  tokens: Tokens
  audit: Pick<AuditTrail, 'tellOnce'>
  events: { collected(flow: Flow): void }
}

type Claim = 'collected' | 'spent' | 'unknown'

/** `denied`: it was revoked, its user is blocked, or its client is gone. `spent` and `unknown` are what the claim said. */
export type Collected =
  | { kind: 'approved'; tokens: IssuedTokens }
  | { kind: 'denied' | 'invalid_target' | Exclude<Claim, 'collected'> }

export type Collect = (
  grantCode: string,
  approved: ApprovedGrant,
  collecting: Collecting,
  claim: () => Promise<Claim>
) => Promise<Collected>

/** Whether a verifier is the one of the request's challenge (RFC 7636 §4.6). Without a challenge none is needed. */
export function knowsVerifier({ codeChallenge }: GrantRequest, codeVerifier: string | undefined): boolean {
  if (codeChallenge === undefined) return true
  return codeVerifier !== undefined && isSame(digestOf(codeVerifier), codeChallenge)
}

/** What the program of a code calls itself by its User-Agent, if it runs where the user has their browser, and says nothing else. */
function labelOf({ redirectUri, metadata }: GrantRequest, { userAgent }: Collecting): string | undefined {
  const isNamed = metadata.hostname !== undefined || redirectUri === undefined || !staysOnDevice(redirectUri)
  return isNamed ? undefined : nameFromUserAgent(userAgent, metadata.os)
}

export function createCollection({ approvals, clients, tokens, audit, events }: CollectionParts): Collect {
  return async (grantCode, approved, collecting, claim) => {
    const { request, decision } = approved
    const client = clients.find(request.clientId)
    // The operator may have taken the client away since, or this grant from it.
    const grantType = flowOf(request) === 'code' ? CODE_GRANT : DEVICE_CODE_GRANT
    if (!client?.grantTypes.includes(grantType)) return { kind: 'denied' }
    const target = targetOf(client.resources, request.resources, collecting.resources)
    if (target === 'invalid_target') return { kind: target }
    const { takesRefreshToken } = collecting
    const by = { label: labelOf(request, collecting), takesRefreshToken }
    const authorization = await approvals.collect(client, approved, by)
    if (!authorization) return { kind: 'denied' }
    const { nonce } = request
    const { signedInAtMs } = decision
    const issued = await tokens.issue(client, authorization, {
      ...{ grantCode, target, takesRefreshToken },
      signIn: { nonce, signedInAtMs }
    })
    const claimed = await claim()
    if (claimed !== 'collected') return { kind: claimed }
    await audit.tellOnce(
      collectionTold({ grantDigest: digestOf(grantCode), request }, authorization, collecting.whence())
    )
    events.collected(flowOf(request))
    // A client known by a URL may have asked for what is ignored (clients.ts).
    const isNarrowed = decision.scopes !== undefined || isKnownByUrl(client.id)
    return { kind: 'approved', tokens: isNarrowed ? { ...issued, isNarrowed } : issued }
  }
}
