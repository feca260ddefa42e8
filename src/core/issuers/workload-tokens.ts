/**
 * The access tokens of workloads: short-lived JWTs (RFC 9068) signed with the key of their issuer, which any relying
 * party can verify through discovery. They are not stored and cannot be revoked; they expire.
 */
import { randomUUID } from 'node:crypto'
import type { ReadKey } from '../api-keys/api-keys.js'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import type { Hit, HitWindow, LimitStore } from '../limits/limits.js'
import type { JsonRecords } from '../records/json-records.js'
import type { Fields } from '../records/record-store.js'
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

/** The records of an issuer and of a workload, as they were at one moment. */
export type TokenSources = readonly [issuer: Fields | undefined, workload: Fields | undefined]

/** One look at everything that a request for a token needs. */
export interface TokenLook {
  /** Reads the record of the API key, and beside it what is below. To be called once. */
  readKey: ReadKey
  sources: TokenSources | null
  /** The hit of this request. Undefined if none was counted. */
  hit: Hit | undefined
}

export interface WorkloadTokens {
  /**
   * A look at an API key, an issuer of its owner and a workload, in one step. It counts a hit in the window of the key, if that
   * has one, once this instance knows that who asks has the key.
   */
  look(issuerId: string, workloadId: string, windowOf: (keyId: string) => HitWindow | undefined): TokenLook
  /**
   * Signs a token for a workload. Undefined if the owner has no such issuer or workload. Reads the two unless they are given.
   * Rejects with `unavailable` when the issuer's keys could not be read.
   */
  mint(
    owner: string,
    issuerId: string,
    workloadId: string,
    wish: TokenWish,
    sources: TokenSources | null
  ): Promise<WorkloadToken | undefined>
}

export interface WorkloadTokensParts {
  limits: Pick<LimitStore, 'readAndHit'>
  issuers: JsonRecords<IssuerContent>
  workloads: JsonRecords<WorkloadContent>
  keys: IssuerKeys
  urls: IssuerUrls
  checks: DomainChecks
  jwt: JwtSigner
  clock: Clock
}

export function createWorkloadTokens(parts: WorkloadTokensParts): WorkloadTokens {
  const { limits, issuers, workloads, keys, urls, checks, jwt, clock } = parts

  const wanted = (owner: string, issuerId: string, workloadId: string) =>
    [
      { of: 'issuers', parent: owner, id: issuerId },
      { of: 'workloads', parent: issuerId, id: workloadId }
    ] as const

  return {
    look(issuerId, workloadId, windowOf) {
      const look: TokenLook = {
        sources: null,
        hit: undefined,
        async readKey(owner, id, isProven) {
          const all = [{ of: 'apiKeys', parent: owner, id } as const, ...wanted(owner, issuerId, workloadId)]
          const { records, hit } = await limits.readAndHit(all, isProven ? windowOf(id) : undefined)
          look.sources = [records[1], records[2]]
          look.hit = hit
          return records[0]
        }
      }
      return look
    },

    async mint(owner, issuerId, workloadId, wish, sources) {
      const read = sources ?? (await limits.readAndHit(wanted(owner, issuerId, workloadId), undefined)).records
      const [issuerFields, workloadFields] = read
      if (!issuerFields || !workloadFields) return undefined
      const issuer = issuers.contentOf(issuerFields)
      const workload = workloads.contentOf(workloadFields)
      const key = (await keys.of(issuerId)).current()
      if (!key) throw fault('unavailable', { detail: 'an issuer without keys' })
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
