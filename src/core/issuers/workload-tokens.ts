/**
 * Access tokens of providers: short-lived JWTs (RFC 9068) for workloads, which any relying party verifies through discovery.
 * They are not kept; they end by themselves.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import type { JwtSigner } from '../tokens/jwt-signer.js'
import type { Issuer, Workload } from './issuer.js'
import type { IssuerKeys } from './issuer-keys.js'
import type { IssuerUrls } from './issuer-urls.js'

const DEFAULT_SECONDS = 3_600

export interface TokenWish {
  expiresInSeconds?: number | undefined
  useJwtType?: boolean | undefined
  audienceAsArray?: boolean | undefined
  forceDefaultDomain?: boolean | undefined
}

export interface WorkloadTokens {
  mint(provider: Issuer, client: Workload, wish: TokenWish): Promise<{ accessToken: string; expiresAtMs: number }>
}

export interface WorkloadTokensParts {
  keys: IssuerKeys
  urls: IssuerUrls
  jwt: JwtSigner
  clock: Clock
}

export function createWorkloadTokens({ keys, urls, jwt, clock }: WorkloadTokensParts): WorkloadTokens {
  return {
    async mint(provider, client, wish) {
      const key = (await keys.of(provider.id)).current()
      if (!key) throw fault('unavailable', { detail: 'a provider without keys' })
      const { customDomain } = provider
      const iss =
        customDomain === undefined || wish.forceDefaultDomain ? urls.byDefault(provider.id) : urls.byHost(customDomain)
      const iat = Math.floor(clock() / 1000)
      const exp = iat + (wish.expiresInSeconds ?? DEFAULT_SECONDS)
      const claims = {
        iss,
        sub: client.id,
        client_id: client.id,
        aud: wish.audienceAsArray ? [client.audience] : client.audience,
        iat,
        nbf: iat,
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
