/**
 * Discovery: two documents that say the same (OpenID Connect Discovery 1.0 §3, RFC 8414 §2), where they are found, and the keys
 * that they name.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type IssuerMetadata, oauthOperations } from '../../../schemas/generated/oauth.js'
import { BUILT_IN_SCOPES, CODE_GRANT, GRANT_TYPES } from '../../core/clients/client.js'
import { fault } from '../../core/fault.js'
import { JWKS_MAX_AGE_SECONDS } from '../../core/tokens/signing-keys.js'
import { type App, basePathOf } from '../app.js'
import { LANGUAGES } from '../pages/texts/languages.js'
import { PROMPTS } from './authorization-request.js'

/** What the documents say changes with the configuration and the keys, never in a hurry. */
const MAX_AGE_SECONDS = 300

const WITH_SECRET = ['client_secret_basic', 'client_secret_post']

/** GET /.well-known/openid-configuration (OpenID Connect Discovery 1.0 §4): where everything is, and what it can do. */
export function getOpenidConfiguration(app: App): void {
  const operation = oauthOperations.getOpenidConfiguration
  for (const url of metadataUrls(app, operation.url)) app.route({ ...operation, url, handler: sendMetadata(app) })
}

/** GET /.well-known/oauth-authorization-server (RFC 8414 §3): where everything is, and what it can do. */
export function getAuthorizationServerMetadata(app: App): void {
  const operation = oauthOperations.getAuthorizationServerMetadata
  for (const url of metadataUrls(app, operation.url)) app.route({ ...operation, url, handler: sendMetadata(app) })
}

/** GET /.well-known/jwks.json (RFC 7517): what verifies the tokens of this service, from memory. */
export function getJwks(app: App): void {
  app.route({
    ...oauthOperations.getJwks,
    handler: async (_request, reply) => {
      const keys = app.core.signingKeys.published()
      // An empty set would be cached, and every token be refused for as long.
      if (keys.length === 0) throw fault('unavailable', { detail: 'no signing key yet' })
      reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`)
      return { keys: keys.map((key) => ({ ...key, kty: key.kty ?? '' })) }
    }
  })
}

/**
 * Where a discovery document is that has this name. For an issuer with a path the name is behind the path (OpenID Connect
 * Discovery 1.0 §4), or before it (RFC 8414 §3.1).
 */
export function metadataUrls(app: App, url: string): string[] {
  const path = basePathOf(app.config.publicUrl)
  return path !== '' && app.prefix === '' ? [url, url + path] : [url]
}

function sendMetadata(app: App) {
  return async (_request: FastifyRequest, reply: FastifyReply): Promise<IssuerMetadata> => {
    const metadata = issuerMetadata(app)
    reply.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`)
    return metadata
  }
}

function issuerMetadata(app: App): IssuerMetadata {
  const { publicUrl: issuer } = app.config
  const algorithms = app.core.signingKeys.published().map(({ alg }) => alg)
  // A client would take an empty list for RS256, whatever the key will be.
  if (algorithms.length === 0) throw fault('unavailable', { detail: 'no signing key yet' })
  return {
    issuer,
    authorization_endpoint: `${issuer}${oauthOperations.authorize.url}`,
    device_authorization_endpoint: `${issuer}${oauthOperations.authorizeDevice.url}`,
    token_endpoint: `${issuer}${oauthOperations.requestToken.url}`,
    revocation_endpoint: `${issuer}${oauthOperations.revokeToken.url}`,
    introspection_endpoint: `${issuer}${oauthOperations.introspectToken.url}`,
    userinfo_endpoint: `${issuer}${oauthOperations.getUserinfo.url}`,
    jwks_uri: `${issuer}${oauthOperations.getJwks.url}`,
    // Some clients ask for all they see here, so it holds nothing that only a few of them may have.
    scopes_supported: [...BUILT_IN_SCOPES],
    ...ofCodeGrant(app),
    token_endpoint_auth_methods_supported: ['none', ...WITH_SECRET],
    revocation_endpoint_auth_methods_supported: ['none', ...WITH_SECRET],
    introspection_endpoint_auth_methods_supported: WITH_SECRET,
    ...(app.config.clientIdMetadata !== 'off' && { client_id_metadata_document_supported: true }),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(algorithms)],
    code_challenge_methods_supported: ['S256'],
    claims_supported: ['iss', 'sub', 'aud', 'iat', 'exp', 'auth_time', 'nonce', 'name', 'email', 'email_verified']
  }
}

/** What the authorization endpoint can do, which needs pages. OpenID Connect Discovery has every provider name one. */
function ofCodeGrant({ config }: App) {
  if (!config.hasPages) {
    const others = GRANT_TYPES.filter((type) => type !== CODE_GRANT)
    return { response_types_supported: ['none'], grant_types_supported: others }
  }
  return {
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: [...GRANT_TYPES],
    prompt_values_supported: [...PROMPTS],
    ui_locales_supported: [...LANGUAGES],
    authorization_response_iss_parameter_supported: true,
    request_parameter_supported: false,
    // Without this, OpenID Connect Discovery takes it for true.
    request_uri_parameter_supported: false
  }
}
