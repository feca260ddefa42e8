/**
 * A real upstream: npm's oidc-provider with one client, which is grantd, and one page on which users type who they are.
 * It rotates refresh tokens and treats the second use of one as theft. A gate (upstream-gate.ts) stands in front of it.
 */
import { generateKeyPairSync } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import Provider, { type AccountClaims, type Adapter, type AdapterPayload } from 'oidc-provider'
import type { Test } from 'tap'
import { type Gate, openGate } from './upstream-gate.js'

/** The secret has characters that form-encoding changes. */
export const CLIENT_SECRET = "grantd's secret: 100%/+?&="

export interface IdentityProviderOptions {
  /** The PUBLIC_URL of the grantd that signs in with this upstream. */
  publicUrl: string
  /** The id of this upstream in grantd. */
  id?: string
}

export interface IdentityProvider extends Gate {
  id: string
  /** Returns its entry for PROVIDERS_FILE, with further members if given. */
  entry(more?: object): object
  /** The life of the access tokens that it issues from now on. */
  accessTokenSeconds: number
  /** Whether a sign-in brings a refresh token. */
  issuesRefreshTokens: boolean
  /** Whether the ID token has the claims of a user, or only the user info has them (OpenID Connect Core 1.0 §5.4). */
  claimsInIdToken: boolean
  /** Returns the claims of the user with this name; tests replace it. */
  claimsOf(login: string): AccountClaims
  /** Deletes every grant: from now on all tokens that it has issued are refused. */
  refuseAll(): void
  /** Whether the upstream still accepts a token. */
  accepts(accessToken: string): Promise<boolean>
}

export const TOKEN_ENDPOINT = '/token'
export const REVOCATION_ENDPOINT = '/token/revocation'

const PAGE = `<!doctype html><title>Who are you?</title>
<form method="post"><label>Name <input name="login" autofocus></label>
<button name="action" value="allow">Sign in</button> <button name="action" value="refuse">Cancel</button></form>`

/** Starts an upstream on a free port. The test stops it. */
export async function startIdentityProvider(
  t: Pick<Test, 'teardown'>,
  { publicUrl, id = 'acme' }: IdentityProviderOptions
): Promise<IdentityProvider> {
  const gate = await openGate(t)
  const store = createStore()
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

  const state: IdentityProvider = {
    ...gate,
    id,
    accessTokenSeconds: 3_600,
    issuesRefreshTokens: true,
    claimsInIdToken: true,
    claimsOf: (login) => ({
      sub: login,
      preferred_username: login,
      name: `${login} at ${id}`,
      email: `${login}@a.example`
    }),
    entry: (more = {}) => ({
      ...{ id, name: `The ${id}`, client_id: 'grantd', client_secret: CLIENT_SECRET, issuer: gate.origin },
      ...more
    }),
    refuseAll: () => store.drop('Grant:'),
    async accepts(accessToken) {
      const info = await fetch(`${gate.origin}/me`, { headers: { authorization: `Bearer ${accessToken}` } })
      return info.ok
    }
  }

  const provider = new Provider(gate.origin, {
    adapter: store.adapter,
    clients: [
      {
        client_id: 'grantd',
        client_secret: CLIENT_SECRET,
        redirect_uris: [`${publicUrl}/login/${id}/callback`],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic'
      }
    ],
    cookies: { keys: ['signs the cookies of the provider'] },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'one' }] } as never,
    scopes: ['openid', 'offline_access', 'reports.read'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups', 'roles'], email: ['email'] },
    // findAccount below decides which claims an ID token has, because a test may change `claimsInIdToken`.
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false }, revocation: { enabled: true, allowedPolicy: async () => true } },
    findAccount: (_ctx, login) => ({
      accountId: login,
      claims: async (use) => {
        const claims = state.claimsOf(login)
        return use === 'id_token' && !state.claimsInIdToken ? { sub: claims.sub } : claims
      }
    }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: async () => state.issuesRefreshTokens,
    rotateRefreshToken: true,
    expiresWithSession: async () => false,
    pkce: { required: () => true },
    ttl: {
      AccessToken: () => state.accessTokenSeconds,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 3_600,
      RefreshToken: 86_400,
      Session: 86_400
    },
    renderError: async (ctx, out) => {
      ctx.type = 'json'
      ctx.body = out
    }
  })

  const handle = provider.callback()
  gate.serve((request, response) => {
    const handled = request.url?.startsWith('/interaction/') ? interact(request, response) : handle(request, response)
    handled.catch(() => response.writeHead(500).end())
  })

  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { params } = await provider.interactionDetails(request, response)
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE)
      return
    }
    let form = ''
    for await (const chunk of request) form += chunk
    const typed = new URLSearchParams(form)
    if (typed.get('action') === 'refuse') {
      await provider.interactionFinished(request, response, { error: 'access_denied' })
      return
    }
    const accountId = typed.get('login') ?? ''
    const grant = new provider.Grant({ accountId, clientId: String(params.client_id) })
    grant.addOIDCScope(String(params.scope))
    const consent = { grantId: await grant.save() }
    await provider.interactionFinished(request, response, { login: { accountId }, consent })
  }

  return state
}

/** The storage of oidc-provider: in memory, gone with the test. */
function createStore() {
  const kept = new Map<string, AdapterPayload>()
  const findBy = (prefix: string, matches: (payload: AdapterPayload) => boolean) =>
    [...kept].find(([key, payload]) => key.startsWith(prefix) && matches(payload))?.[1]

  return {
    drop(prefix: string) {
      for (const key of kept.keys()) if (key.startsWith(prefix)) kept.delete(key)
    },
    adapter: (model: string): Adapter => ({
      async upsert(id, payload) {
        kept.set(`${model}:${id}`, payload)
      },
      find: async (id) => kept.get(`${model}:${id}`),
      findByUid: async (uid) => findBy(`${model}:`, (payload) => payload.uid === uid),
      findByUserCode: async (code) => findBy(`${model}:`, (payload) => payload.userCode === code),
      async consume(id) {
        const payload = kept.get(`${model}:${id}`)
        if (payload) payload.consumed = Math.floor(Date.now() / 1000)
      },
      async destroy(id) {
        kept.delete(`${model}:${id}`)
      },
      async revokeByGrantId(grantId) {
        for (const [key, payload] of kept) if (payload.grantId === grantId) kept.delete(key)
      }
    })
  }
}
