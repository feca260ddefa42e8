/**
 * The access tokens of workloads: short-lived JWTs (RFC 9068) signed with the key of their issuer, which any relying
 * party can verify through discovery. They are not stored and cannot be revoked; they expire.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import type { Resources } from '../records/resources.js'
import type { JwtSigner } from '../tokens/signing-key.js'
import type { DomainChecks } from './domain-checks.js'
import type { IssuerContent, IssuerUrls, WorkloadContent } from './issuer.js'
import type { IssuerKeys } from './issuer-keys.js'

const DEFAULT_SECONDS = 3_600
/** How far before its issue a token counts, for verifiers whose clock is slow and who allow for nothing. */
const NOT_BEFORE_SECONDS_AGO = 30

export interface TokenWish {
  expiresInSeconds?: number | undefined
  useJwtType?: boolean | undefined
  audienceAsArray?: boolean | undefined
  forceDefaultDomain?: boolean | undefined
}

export interface WorkloadToken {
  accessToken: string
  expiresAtMs: number
}

export interface WorkloadTokens {
  /**
   * Signs a token for a workload. Undefined if the owner has no such issuer or workload. Rejects with `unavailable`
   * when the issuer's keys could not be read.
   */
  mint(owner: string, issuerId: string, workloadId: string, wish: TokenWish): Promise<WorkloadToken | undefined>
}

export interface WorkloadTokensParts {
  issuers: Resources<IssuerContent>
  workloads: Resources<WorkloadContent>
  keys: IssuerKeys
  urls: IssuerUrls
  checks: DomainChecks
  jwt: JwtSigner
  clock: Clock
}

export function createWorkloadTokens(parts: WorkloadTokensParts): WorkloadTokens {
  const { issuers, workloads, keys, urls, checks, jwt, clock } = parts

  return {
    async mint(owner, issuerId, workloadId, wish) {
      const [issuer, workload] = await Promise.all([
        issuers.find(owner, issuerId),
        workloads.find(issuerId, workloadId)
      ])
      if (!issuer || !workload) return undefined
      const key = (await keys.of(issuerId)).current()
      if (!key) throw fault('unavailable', { detail: 'a provider without keys' })
      const { customDomain } = issuer
      if (customDomain !== undefined) checks.look(customDomain, { owner, issuerId })
      const iss =
        customDomain === undefined || wish.forceDefaultDomain ? urls.byDefault(issuerId) : urls.byHost(customDomain)
      const iat = Math.floor(clock() / 1000)
      const exp = iat + (wish.expiresInSeconds ?? DEFAULT_SECONDS)
      const claims = {
        iss,
        sub: workloadId,
        client_id: workloadId,
        aud: wish.audienceAsArray ? [workload.audience] : workload.audience,
        iat,
        nbf: iat - NOT_BEFORE_SECONDS_AGO,
        exp,
        jti: randomUUID()
      }
      return {
        accessToken: jwt.sign(claims, key, { typ: wish.useJwtType ? 'jwt' : 'at+jwt' }),
        expiresAtMs: exp * 1000
      }
    }
  }
}
