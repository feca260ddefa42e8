/** The application in this process, ready to be injected into, with a clock the test turns. */
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Test } from 'tap'
import { type AppOptions, buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { DASHBOARD_SECRET, sessionOf } from './tokens.js'

export const GRANTD_SECRET = 'keys at rest are sealed under this secret'

/** For what is not about how long Redis may take: a busy machine takes its time, and 503 would be the right answer then. */
export const PATIENT = { REDIS_TIMEOUT_MS: '30000' }
/** For what is: as it is where nobody says otherwise. */
export const IMPATIENT = { REDIS_TIMEOUT_MS: '1000' }

export interface TestClock {
  (): number
  advance(ms: number): void
}

/** Starts at the real time, so that tokens made elsewhere are valid, and stands still. */
export function testClock(): TestClock {
  let nowMs = Date.now()
  return Object.assign(() => nowMs, {
    advance(ms: number) {
      nowMs += ms
    }
  })
}

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
  headers: Record<string, unknown>
}

export interface TestApp {
  app: FastifyInstance
  clock: TestClock
  /** One request; a body is sent as JSON, `user` brings that user's session. */
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, options?: CallOptions): Promise<Answer>
  /** Starts a grant and answers with its codes. */
  start(metadata?: Record<string, string>): Promise<{ grant_code: string; user_code: string }>
  poll(grantCode: string): Promise<Answer>
  decide(userCode: string, user: string, action?: 'approve' | 'deny'): Promise<Answer>
  /** The whole way: started, approved by the user, collected. */
  collect(user: string, metadata?: Record<string, string>): Promise<string>
}

export interface CallOptions {
  user?: string
  token?: string
  body?: unknown
  headers?: Record<string, string>
}

const api = '/api/v0'

/** Builds an application from environment variables; without REDIS_URL it keeps everything in memory. Closed with the test. */
export async function startApp(
  t: Test,
  variables: Record<string, string> = {},
  { logger = false, ...options }: AppOptions = {}
): Promise<TestApp> {
  const clock = testClock()
  const config = loadConfig({ DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, GRANTD_SECRET, ...PATIENT, ...variables })
  const app = buildApp(config, { logger, testClock: clock, ...options })
  t.teardown(() => app.close())
  await app.ready()

  const call: TestApp['call'] = async (method, url, { user, token, body, headers = {} } = {}) => {
    const bearer = token ?? (user === undefined ? undefined : await sessionOf(user))
    const request: InjectOptions = {
      method,
      url: url.startsWith('/auth') ? api + url : url,
      headers: {
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { payload: JSON.stringify(body) })
    }
    const answer = await app.inject(request)
    const isJson = String(answer.headers['content-type']).startsWith('application/json')
    return { status: answer.statusCode, body: isJson ? answer.json() : answer.body, headers: answer.headers }
  }

  const start: TestApp['start'] = async (client_metadata = {}) =>
    (await call('POST', '/auth/grant/code', { body: { client_type: 'cli', client_metadata } })).body
  const poll: TestApp['poll'] = (grant_code) => call('POST', '/auth/grant/token', { body: { grant_code } })
  const decide: TestApp['decide'] = (user_code, user, action = 'approve') =>
    call('POST', '/auth/grant/approve', { user, body: { user_code, action } })

  return {
    app,
    clock,
    call,
    start,
    poll,
    decide,
    async collect(user, metadata) {
      const { grant_code, user_code } = await start(metadata)
      await decide(user_code, user)
      return (await poll(grant_code)).body.jwt
    }
  }
}
