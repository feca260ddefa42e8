/**
 * The user's side of a grant: shows the request and decides it, in place of a dashboard's consent page. It signs the session
 * JWT of a demo user with DASHBOARD_JWT_SECRET, as a dashboard does.
 */
import { SignJWT } from 'jose'
import { written } from './address.js'
import { type Api, type ApiAnswer, refused } from './api.js'
import type { Screen } from './screen.js'
import { findSecret } from './session-secret.js'

export type Action = 'approve' | 'deny'

export const DEMO_USER = 'demo-user'

/** Shows the request with this user code, then approves or denies it. Throws if the service refuses. */
export async function decide(screen: Screen, api: Api, session: string, code: string, action: Action): Promise<void> {
  const query = new URLSearchParams({ user_code: code })
  const request = await api.call('GET', `/auth/grant/peek?${query}`, { token: session })
  if (request.status !== 200) throw misfit(code, request)
  showRequest(screen, request.body)

  const body = { user_code: code, action }
  const decision = await api.call('POST', '/auth/grant/approve', { token: session, body })
  if (decision.status !== 200) throw misfit(code, decision)
  const verdict = action === 'approve' ? screen.style('green', 'Approved') : screen.style('red', 'Denied')
  screen.line()
  screen.line(`${verdict} as ${DEMO_USER}.`)
}

/** A session JWT of the demo user, valid for five minutes. Throws if the service's secret is not known. */
export async function createSession(address: URL, env: NodeJS.ProcessEnv): Promise<string> {
  const secret = findSecret(address, env)
  if (secret === undefined) {
    throw new Error(
      `${written(address)} is not a service of the demo's own, and DASHBOARD_JWT_SECRET is not set.\n` +
        'To decide, the demo must sign in as a user: set DASHBOARD_JWT_SECRET to what that service has,\n' +
        'or decide on your dashboard.'
    )
  }
  const session = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject(DEMO_USER).setIssuedAt()
  // A service may require these claims; its settings of the same names are then needed here too.
  if (env.DASHBOARD_JWT_ISSUER) session.setIssuer(env.DASHBOARD_JWT_ISSUER)
  if (env.DASHBOARD_JWT_AUDIENCE) session.setAudience(env.DASHBOARD_JWT_AUDIENCE)
  return session.setExpirationTime('5m').sign(new TextEncoder().encode(secret))
}

function showRequest(screen: Screen, request: ApiAnswer['body']): void {
  const { name, version, hostname, os } = Object(request.client_metadata)
  const { requester_location: from, approver_location: to, country_mismatch: mismatch } = request
  const { client_name: registered, scope } = request
  screen.heading('Somebody asks to act in your name')
  screen.pairs({
    client: [text(name) ?? 'unnamed', text(version)].filter(Boolean).join(' '),
    'registered as': text(registered),
    type: text(request.client_type),
    'asks for': text(scope),
    machine: text(hostname),
    system: text(os),
    'asks from': text(from) ?? 'unknown location',
    'you are in': text(to)
  })
  if (mismatch === true) screen.line(screen.style('yellow', 'The request comes from another country than you.'))
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined)

function misfit(code: string, answer: ApiAnswer): Error {
  if (answer.status === 404) return new Error(`no request waits under ${code}: mistyped, expired or already decided`)
  if (answer.status === 401) {
    return new Error('the service does not accept the session: it has another DASHBOARD_JWT_SECRET than the demo')
  }
  return refused('the decision failed', answer)
}
