/**
 * A plain OAuth 2.0 upstream like GitHub, for which there is no package. It answers wrong token requests with 200 and
 * an `error`, separates scopes by commas, and sends forms unless JSON is asked for. Its users have numbers as ids,
 * requests must have a User-Agent, and refresh tokens are optional. A gate (upstream-gate.ts) stands in front of it.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { CLIENT_SECRET } from './oidc-upstream.js'
import { type Gate, openGate } from './upstream-gate.js'

export interface PlainProvider extends Gate {
  id: string
  /** Returns its entry for PROVIDERS_FILE, with further members if given. */
  entry(more?: object): object
  /** Whether access tokens expire; refresh tokens come with those that do. */
  expires: boolean
  /** Returns what the user info says of the user with this name. */
  userOf(login: string): Record<string, unknown>
  /** Whether the upstream still accepts a token. */
  accepts(accessToken: string): boolean
}

export const PLAIN_TOKEN_ENDPOINT = '/login/oauth/access_token'
export const PLAIN_USER_INFO = '/user'
export const PLAIN_REVOCATION_ENDPOINT = '/revoke'
/** The life of an access token that expires. */
export const PLAIN_TOKEN_SECONDS = 28_800

const PAGE = `<!doctype html><title>Who are you?</title>
<form method="post"><input name="login"><button name="action" value="allow">Authorize</button></form>`

interface Code {
  login: string
  challenge: string
  redirectUri: string
}

/** Starts an upstream on a free port. The test stops it. */
export async function startPlainProvider(
  t: Pick<Test, 'teardown'>,
  { publicUrl, id = 'hub' }: { publicUrl: string; id?: string }
): Promise<PlainProvider> {
  const gate = await openGate(t)
  const codes = new Map<string, Code>()
  /** The login of each token. */
  const tokens = new Map<string, string>()
  const redirectUri = `${publicUrl}/login/${id}/callback`

  const state: PlainProvider = {
    ...gate,
    id,
    expires: false,
    userOf: (login) => ({ id: numberOf(login), login, name: `${login} of ${id}`, email: 'the-team@a.example' }),
    accepts: (token) => tokens.has(token),
    entry: (more = {}) => ({
      ...{ id, name: `The ${id}`, client_id: 'grantd', client_secret: CLIENT_SECRET, scope: 'repo read:user' },
      token_endpoint_auth_method: 'client_secret_post',
      authorization_endpoint: `${gate.origin}/login/oauth/authorize`,
      token_endpoint: `${gate.origin}${PLAIN_TOKEN_ENDPOINT}`,
      userinfo_endpoint: `${gate.origin}${PLAIN_USER_INFO}`,
      ...more
    })
  }

  function issue(login: string): Record<string, unknown> {
    const issueOne = (prefix: string) => {
      const token = prefix + randomBytes(20).toString('hex')
      tokens.set(token, login)
      return token
    }
    return {
      access_token: issueOne('gho_'),
      scope: 'repo,read:user',
      token_type: 'bearer',
      ...(state.expires && { refresh_token: issueOne('ghr_'), expires_in: PLAIN_TOKEN_SECONDS })
    }
  }

  function redeem(form: URLSearchParams): Record<string, unknown> {
    if (form.get('client_id') !== 'grantd' || form.get('client_secret') !== CLIENT_SECRET) {
      return {
        error: 'incorrect_client_credentials',
        error_description: 'The client_id and/or client_secret is wrong.'
      }
    }
    if (form.get('grant_type') === 'refresh_token') {
      const token = form.get('refresh_token') ?? ''
      const login = token.startsWith('ghr_') ? tokens.get(token) : undefined
      if (login === undefined) return { error: 'bad_refresh_token', error_description: 'The refresh token is wrong.' }
      tokens.delete(token)
      return issue(login)
    }
    const code = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (code?.challenge !== challenge || code.redirectUri !== form.get('redirect_uri')) {
      return { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' }
    }
    return issue(code.login)
  }

  async function authorize(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (url.searchParams.get('redirect_uri') !== redirectUri) {
      response.writeHead(400).end('another redirect_uri than the registered one')
    } else if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE)
    } else {
      const code = randomBytes(10).toString('hex')
      const login = (await formOf(request)).get('login') ?? ''
      codes.set(code, { login, redirectUri, challenge: url.searchParams.get('code_challenge') ?? '' })
      const back = new URLSearchParams({ code, state: url.searchParams.get('state') ?? '' })
      response.writeHead(302, { location: `${redirectUri}?${back}` }).end()
    }
  }

  gate.serve(async (request, response) => {
    const url = new URL(request.url ?? '', gate.origin)
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''

    if (url.pathname === '/login/oauth/authorize') return authorize(request, response, url)
    if (url.pathname === PLAIN_TOKEN_ENDPOINT) {
      const answer = redeem(await formOf(request)) as Record<string, string>
      if (request.headers.accept === 'application/json') return reply(200, answer)
      return response
        .writeHead(200, { 'content-type': 'application/x-www-form-urlencoded' })
        .end(new URLSearchParams(answer).toString())
    }
    if (url.pathname === PLAIN_USER_INFO) {
      const login = tokens.get(bearer)
      if (!request.headers['user-agent']) return reply(403, { message: 'Request forbidden: name your program' })
      return login === undefined ? reply(401, { message: 'Bad credentials' }) : reply(200, state.userOf(login))
    }
    if (url.pathname === PLAIN_REVOCATION_ENDPOINT) {
      tokens.delete((await formOf(request)).get('token') ?? '')
      return response.writeHead(200).end()
    }
    return reply(404, { message: 'Not Found' })
  })

  return state
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request) text += chunk
  return new URLSearchParams(text)
}

/** Returns the same number for the same name. */
function numberOf(login: string): number {
  return createHash('sha256').update(login).digest().readUInt32BE(0)
}
