/**
 * A stand-in for identity providers that answers in any dialect: a test says how, by request. Unless it does, it is a provider
 * that keeps to the specifications, rotates refresh tokens and refuses spent ones. Each first part of a path is an issuer of its
 * own. It shows no pages; `codeFor` makes the code that a visit to it would bring.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { SignJWT } from 'jose'
import { freePort } from './ports.js'

export interface Request {
  asked: 'exchange' | 'refresh' | 'user_info' | 'revocation' | 'metadata'
  /** The path with its leading slash, without the query. */
  path: string
  headers: IncomingHttpHeaders
  form: URLSearchParams
  /** Who the code, refresh token or access token was issued for. */
  login: string | undefined
  /** Spends the code or refresh token and returns the answer by the specifications. Undefined if it is spent already. */
  issue(options?: IssueOptions): Promise<Members | undefined>
}

export interface IssueOptions {
  /** Claims of the ID token that differ; undefined leaves one out. */
  claims?: Members
  /** Whether the refresh token is replaced, which it is by default. */
  rotates?: boolean
}

type Members = Record<string, unknown>

/** An answer: a text or bytes as they are, everything else as JSON. 'hang up' ends the connection without one. */
export type Reply = { status?: number; headers?: Record<string, string>; body?: unknown } | 'hang up'

export interface DialectUpstream {
  origin: string
  /** Decides about a request; undefined leaves it to the specifications. Tests replace it. */
  speak(request: Request): Reply | undefined | Promise<Reply | undefined>
  /** Makes the code of a visit that began with this authorization URL. */
  codeFor(login: string, authorizationUrl: URL): string
  /** The user info of somebody. */
  userOf(login: string): Members
  /** The tokens that were revoked. */
  readonly revoked: Set<string>
}

interface Issuance {
  login: string
  nonce: string | null
}

/** Starts the stand-in on a free port. The test stops it. */
export async function startDialectUpstream(t: { teardown(handler: () => unknown): void }): Promise<DialectUpstream> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = [{ ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'one' }]
  const codes = new Map<string, Issuance>()
  const refreshTokens = new Map<string, Issuance>()
  const accessTokens = new Map<string, string>()
  const port = await freePort()

  const state: DialectUpstream = {
    origin: `http://127.0.0.1:${port}`,
    speak: () => undefined,
    codeFor(login, url) {
      const code = `code-${randomUUID()}`
      codes.set(code, { login, nonce: url.searchParams.get('nonce') })
      return code
    },
    userOf: (login) => ({ sub: login, id: login, login, name: `${login} by user info`, email: `${login}@a.example` }),
    revoked: new Set()
  }

  async function issue(
    issuer: string,
    { login, nonce }: Issuance,
    clientId: string,
    claims: Members
  ): Promise<Members> {
    const [accessToken, refreshToken] = [`access-${randomUUID()}`, `refresh-${randomUUID()}`]
    accessTokens.set(accessToken, login)
    refreshTokens.set(refreshToken, { login, nonce })
    const seconds = Math.floor(Date.now() / 1000)
    const all: Members = {
      iss: issuer,
      aud: clientId,
      sub: login,
      iat: seconds,
      exp: seconds + 3_600,
      ...(nonce && { nonce })
    }
    const idToken = await new SignJWT({ ...all, name: `${login} by ID token`, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .sign(privateKey)
    return {
      access_token: accessToken,
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: 3_600,
      scope: 'openid profile email',
      id_token: idToken
    }
  }

  async function answer(incoming: IncomingMessage): Promise<Reply> {
    const url = new URL(incoming.url ?? '', state.origin)
    const form = new URLSearchParams(await textOf(incoming))
    const issuer = `${state.origin}/${url.pathname.split('/')[1]}`
    const grantType = form.get('grant_type')
    const bearer = /^Bearer (\S+)$/.exec(incoming.headers.authorization ?? '')?.[1]
    const spend = grantType === 'authorization_code' ? codes : refreshTokens
    const token = form.get('code') ?? form.get('refresh_token') ?? form.get('token') ?? ''
    const known = grantType === null ? undefined : spend.get(token)
    const basic = Buffer.from(incoming.headers.authorization?.slice('Basic '.length) ?? '', 'base64').toString()
    const clientId = form.get('client_id') ?? decodeURIComponent(basic.split(':')[0] ?? '')
    const request: Request = {
      asked:
        grantType === 'authorization_code'
          ? 'exchange'
          : grantType === 'refresh_token'
            ? 'refresh'
            : form.has('token')
              ? 'revocation'
              : bearer
                ? 'user_info'
                : 'metadata',
      path: url.pathname,
      headers: incoming.headers,
      form,
      login: known?.login ?? accessTokens.get(bearer ?? token) ?? refreshTokens.get(token)?.login,
      async issue({ claims = {}, rotates = true } = {}) {
        if (!spend.has(token) || !known) return undefined
        if (rotates || spend === codes) spend.delete(token)
        return issue(issuer, known, clientId, claims)
      }
    }
    const said = await state.speak(request)
    if (said) return said
    if (request.asked === 'user_info') {
      return request.login === undefined ? { status: 401 } : { body: state.userOf(request.login) }
    }
    if (request.asked === 'revocation') {
      state.revoked.add(token)
      return {}
    }
    if (request.asked === 'metadata') return { body: url.pathname.endsWith('/jwks') ? { keys } : metadataOf(issuer) }
    const issued = await request.issue()
    return issued ? { body: issued } : { status: 400, body: { error: 'invalid_grant' } }
  }

  const server = createServer((incoming, outgoing) => {
    answer(incoming)
      .catch((error): Reply => ({ status: 500, body: String(error) }))
      .then((reply) => {
        if (reply === 'hang up') return outgoing.destroy()
        const { status = 200, headers = {}, body = '' } = reply
        const isRaw = typeof body === 'string' || Buffer.isBuffer(body)
        outgoing.writeHead(status, { ...(isRaw ? {} : { 'content-type': 'application/json' }), ...headers })
        return outgoing.end(isRaw ? body : JSON.stringify(body))
      })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return state
}

/** The metadata of an issuer (OpenID Connect Discovery 1.0 §3). */
export function metadataOf(issuer: string): Members {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    revocation_endpoint: `${issuer}/revoke`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256']
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of message) text += chunk
  return text
}
