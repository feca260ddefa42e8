/** An owner of the tokens API who trusts foreign issuers on this machine. */
import type { Test } from 'tap'
import type { Condition } from '../../../src/core/trust/tenant.js'
import { type Answer, startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { authorityFile, type BareIssuer } from '../../support/trusted-issuer.js'

export interface Trust {
  url: string
  fingerprints?: readonly string[]
  audience?: string
  hours?: number
  policyAudience?: string
  conditions?: readonly Condition[]
}

/** The tenant and the policy by which a token is validated. */
export interface Trusted {
  tenantId: string
  tenantProviderId: string
  tenantProviderPolicyId: string
}

export interface RelyingParty extends TestApp {
  apiKey: string
  /** Sends a request with the API key. */
  v1(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  /** Trusts an issuer in a new tenant with a policy, which by default fits the tokens of bare issuers. */
  trust(trust: Trust): Promise<Trusted>
  /** Trusts an issuer with TLS by the fingerprint of its own certificate. */
  trustBare(issuer: BareIssuer, trust?: Partial<Trust>): Promise<Trusted>
  validate(token: unknown, trusted: Trusted): Promise<Answer>
}

const BUILDERS: readonly Condition[] = [{ key: 'role', operator: 'stringEquals', value: 'builder' }]
/** The fingerprint of no certificate. */
export const NO_FINGERPRINT = '0'.repeat(64)

export async function startRelyingParty(t: Test, variables: Record<string, string> = {}): Promise<RelyingParty> {
  const service = await startApp(t, {
    LIMITS: 'off',
    SIGNING_ALG: 'EdDSA',
    PROVIDER_SIGNING_ALG: 'ES256',
    FOREIGN_ISSUERS_ON_LOOPBACK: 'on',
    FOREIGN_ISSUER_CA_FILE: authorityFile(t),
    ...variables
  })
  const { text: apiKey } = await service.app.core.apiKeys.create('acme', {}, BY)
  const v1: RelyingParty['v1'] = (method, path, body) => service.call(method, `/v1${path}`, { token: apiKey, body })

  const created = async (path: string, body: unknown): Promise<string> => {
    const answer = await v1('POST', path, body)
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body.id
  }
  const trust: RelyingParty['trust'] = async ({ url, audience = 'relying-party', hours = 0, ...trust }) => {
    const tenantId = await created('/tenants', { name: 'tenant', description: 'of the tests' })
    const tenantProviderId = await created(`/tenants/${tenantId}/providers`, {
      url,
      audience,
      fingerprints: trust.fingerprints ?? [NO_FINGERPRINT],
      earliestIssuanceTimeAllowed: hours
    })
    const tenantProviderPolicyId = await created(`/tenants/${tenantId}/providers/${tenantProviderId}/policies`, {
      name: 'policy',
      description: 'what a token must say',
      audience: trust.policyAudience ?? audience,
      conditions: trust.conditions ?? BUILDERS
    })
    return { tenantId, tenantProviderId, tenantProviderPolicyId }
  }

  return {
    ...service,
    apiKey,
    v1,
    trust,
    trustBare: ({ url, certificate }, more = {}) => trust({ url, fingerprints: [certificate.sha256], ...more }),
    validate: (token, { tenantId, tenantProviderPolicyId }) =>
      v1('POST', `/tenants/${tenantId}/validate`, { tenantProviderPolicyId, token })
  }
}
