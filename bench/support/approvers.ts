/** Approves a grant by its user code as a signed-in user: one approver for each contender that can start grants. */
import { sessionOf } from '../../test/support/tokens.js'
import type { Caller } from './callers.js'
import { JSON_TYPE } from './load.js'
import type { Target } from './processes.js'

export type Approver = (userCode: string) => Promise<unknown>

/** The approvals are spread over this many users, because few users have authorized a thousand clients. */
const USERS = 100

/** Looks at each grant as a consent page does, and approves it. */
export async function approverAtGrantd({ url }: Target, call: Caller): Promise<Approver> {
  const sessions = await Promise.all(
    Array.from({ length: USERS }, (_, i) => sessionOf(`bench-${i}`, { expires: '1h' }))
  )
  const api = `${url}/api/v0/auth/grant`
  let turn = 0
  return async (userCode) => {
    const headers = { authorization: `Bearer ${sessions[turn++ % USERS]}`, 'content-type': JSON_TYPE }
    await call(`${api}/peek?user_code=${userCode}`, { method: 'GET', headers })
    const body = JSON.stringify({ user_code: userCode, action: 'approve' })
    await call(`${api}/approve`, { method: 'POST', headers, body })
  }
}

/** Approves through POST /approve, which bench/peers/oidc-provider.ts has in place of pages. */
export function approverAtOidcProvider({ url }: Target, call: Caller): Approver {
  return (userCode) => call(`${url}/approve`, { method: 'POST', body: userCode }, 204)
}

/** Signs up one user; then claims each grant for that user, as the page of better-auth does, and approves it. */
export async function approverAtBetterAuth({ url }: Target, call: Caller): Promise<Approver> {
  const api = `${url}/api/auth`
  const person = { name: 'bench', email: 'bench@example.com', password: 'correct horse battery staple' }
  const signUp = { method: 'POST', body: JSON.stringify(person), headers: { 'content-type': JSON_TYPE } } as const
  const { token } = JSON.parse(await call(`${api}/sign-up/email`, signUp))
  const headers = { authorization: `Bearer ${token}`, 'content-type': JSON_TYPE }
  return async (userCode) => {
    await call(`${api}/device?user_code=${userCode}`, { method: 'GET', headers })
    await call(`${api}/device/approve`, { method: 'POST', headers, body: JSON.stringify({ userCode }) })
  }
}
