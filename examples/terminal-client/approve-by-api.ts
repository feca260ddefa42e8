/**
 * Decides a grant over the dashboard API, as a dashboard's consent page does: for a service whose users sign in elsewhere. It signs
 * the session JWT of a demo user with DASHBOARD_JWT_SECRET.
 */
import { SignJWT } from 'jose'
import { type Api, type ApiAnswer, refused } from './api.js'
import type { Screen } from './screen.js'

export type Action = 'approve' | 'deny'

/** Shows the request with this user code, then approves or denies it. Throws with a message for the user if it cannot. */
export type Decider = (code: string, action: Action) => Promise<void>

export const DEMO_USER = 'demo-user'

export async function createApiDecider(screen: Screen, api: Api, env: NodeJS.ProcessEnv): Promise<Decider> {
  const token = await createSession(env)
  return async (code: string, action: Action) => {
    const query = new URLSearchParams({ user_code: code })
    const request = await api.call('GET', `/auth/grant/peek?${query}`, { token })
    if (request.status !== 200) throw misfit(code, request)
    showRequest(screen, request.body)

    const body = { user_code: code, action }
    const decision = await api.call('POST', '/auth/grant/approve', { token, body })
    if (decision.status !== 200) throw misfit(code, decision)
  }
}

/** A session JWT of the demo user, valid for five minutes. */
function createSession(env: NodeJS.ProcessEnv): Promise<string> {
  const session = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject(DEMO_USER).setIssuedAt()
  // A service may require these claims; its settings of the same names are then needed here too.
  if (env.DASHBOARD_JWT_ISSUER) session.setIssuer(env.DASHBOARD_JWT_ISSUER)
  if (env.DASHBOARD_JWT_AUDIENCE) session.setAudience(env.DASHBOARD_JWT_AUDIENCE)
  // It may be a list; the service takes any of them.
  const [secret] = (env.DASHBOARD_JWT_SECRET ?? '').split(',')
  return session.setExpirationTime('5m').sign(new TextEncoder().encode(secret?.trim()))
}

function showRequest(screen: Screen, request: ApiAnswer['body']): void {
  const { name, version, hostname, os } = Object(request.client_metadata)
  const { requester_location: from, approver_location: to, country_mismatch: mismatch } = request
  const { client_name: registered, scope } = request
  screen.pairs({
    client: [text(name) ?? 'unnamed', text(version)].filter(Boolean).join(' '),
    'registered as': text(registered),
    type: text(request.client_type),
    'asks for': text(scope),
    'to use': apisOf(request.resources),
    machine: text(hostname),
    system: text(os),
    'asks from': text(from) ?? 'unknown location',
    'you are in': text(to)
  })
  if (mismatch === true) screen.line(screen.style('yellow', 'The request comes from another country than you.'))
}

/** The APIs that the tokens would be for, by what their operator calls them. */
function apisOf(resources: unknown): string | undefined {
  if (!Array.isArray(resources) || resources.length === 0) return undefined
  return resources.map((resource) => `${text(Object(resource).name)} (${text(Object(resource).host)})`).join(', ')
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined)

function misfit(code: string, answer: ApiAnswer): Error {
  if (answer.status === 404) return new Error(`no request waits under ${code}: mistyped, expired or already decided`)
  if (answer.status === 401) {
    return new Error('the service does not accept the session: it has another DASHBOARD_JWT_SECRET than the demo')
  }
  return refused('the decision failed', answer)
}
