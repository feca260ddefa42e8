/** The two surfaces that programs use: the requests they send, and what the answers mean in the words of history.ts. */
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { claimsOf } from '../../test/support/client.js'
import type { Outcome } from './history.js'
import { RESOURCE_SERVER } from './resource-server.js'
import type { Answered, Sent } from './transport.js'

export interface Tokens {
  access: string
  refresh?: string
  authorization: string
}

export interface Surface {
  start(actor: string): Sent
  codesIn(body: Answered['body']): { grantCode: string; userCode: string }
  poll(grantCode: string, waitSeconds?: number): Sent
  pollOutcome(answer: Answered): Outcome
  tokensIn(body: Answered['body']): Tokens
  use(token: string): Sent
}

const prefer = (waitSeconds?: number) =>
  waitSeconds === undefined ? {} : { headers: { prefer: `wait=${waitSeconds}` } }
const authorizationIn = (jwt: string) => String(claimsOf(jwt).cid)

export const dashboard: Surface = {
  start: (actor) => ({
    method: 'POST',
    path: '/api/v0/auth/grant/code',
    json: { client_type: 'cli', client_metadata: { name: actor } }
  }),
  codesIn: (body) => ({ grantCode: body.grant_code, userCode: body.user_code }),
  poll: (grant_code, waitSeconds) => ({
    method: 'POST',
    path: '/api/v0/auth/grant/token',
    json: { grant_code },
    ...prefer(waitSeconds)
  }),
  pollOutcome: ({ status, body }) => (status === 200 ? pollWord(body.status) : 'unexpected'),
  tokensIn: ({ jwt }) => ({ access: jwt, authorization: authorizationIn(jwt) }),
  use: (bearer) => ({ method: 'GET', path: '/api/v0/auth/clients', bearer })
}

export const oauth: Surface = {
  start: () => ({
    method: 'POST',
    path: '/oauth/device_authorization',
    form: { client_id: 'cli', scope: 'openid offline_access' }
  }),
  codesIn: (body) => ({ grantCode: body.device_code, userCode: body.user_code }),
  poll: (device_code, waitSeconds) => ({
    method: 'POST',
    path: '/oauth/token',
    form: { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code },
    ...prefer(waitSeconds)
  }),
  pollOutcome: ({ status, body }) =>
    status === 200 ? 'approved' : status === 400 ? pollWord(body.error) : 'unexpected',
  tokensIn: ({ access_token, refresh_token }) => ({
    access: access_token,
    refresh: refresh_token,
    authorization: authorizationIn(access_token)
  }),
  use: (bearer) => ({ method: 'GET', path: '/oauth/userinfo', bearer })
}

function pollWord(word: string): Outcome {
  const words: Record<string, Outcome> = {
    authorization_pending: 'pending',
    slow_down: 'slow_down',
    approved: 'approved',
    access_denied: 'denied',
    expired_token: 'gone',
    invalid_grant: 'gone'
  }
  return words[word] ?? 'unexpected'
}

export const refresh = (refresh_token: string): Sent => ({
  method: 'POST',
  path: '/oauth/token',
  form: { grant_type: 'refresh_token', client_id: 'cli', refresh_token }
})

export const introspect = (token: string): Sent => ({
  method: 'POST',
  path: '/oauth/introspect',
  form: { token, client_id: RESOURCE_SERVER.id, client_secret: RESOURCE_SERVER.secret }
})

export const decide = (user_code: string, action: string, bearer: string): Sent => ({
  method: 'POST',
  path: '/api/v0/auth/grant/approve',
  json: { user_code, action },
  bearer
})

export const rename = (id: string, label: string, bearer: string): Sent => ({
  method: 'PATCH',
  path: `/api/v0/auth/clients/${id}`,
  json: { label },
  bearer
})

export const revoke = (id: string, bearer: string): Sent => ({
  method: 'DELETE',
  path: `/api/v0/auth/clients/${id}`,
  bearer
})

export const list = (bearer: string): Sent => ({ method: 'GET', path: '/api/v0/auth/clients', bearer })

export const doneOutcome = ({ status }: Answered): Outcome =>
  status === 200 ? 'done' : status === 404 ? 'missing' : status === 401 ? 'refused' : 'unexpected'

export const useOutcome = ({ status }: Answered): Outcome =>
  status === 200 ? 'accepted' : status === 401 ? 'refused' : 'unexpected'

export const introspectOutcome = ({ status, body }: Answered): Outcome =>
  status === 200 ? (body.active ? 'accepted' : 'refused') : 'unexpected'

export const refreshOutcome = ({ status, body }: Answered): Outcome =>
  status === 200 ? 'accepted' : status === 400 && body.error === 'invalid_grant' ? 'refused' : 'unexpected'
