/** The application in this process, with requests by inject and a clock that the test turns. */
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import type { Test } from 'tap'
import { type AppOptions, buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { PATIENT_MS } from './redis-config.js'
import { DASHBOARD_SECRET, sessionOf } from './tokens.js'
import { until } from './until.js'

export const GRANTD_SECRET = 'keys at rest are sealed under this secret'

/** For tests that are not about slow Redis: a busy machine is slow too, and 503 would then be the right answer. */
export const PATIENT = { REDIS_TIMEOUT_MS: `${PATIENT_MS}` }
/** For tests about slow Redis: the default of REDIS_TIMEOUT_MS. */
export const IMPATIENT = { REDIS_TIMEOUT_MS: '1000' }

// Fastify loads what `inject` needs when that is first used, and Node.js refuses it if another application of the process is being
// started in that moment (findings/fastify-inject-beside-cookie-start.sh).
await Fastify().inject('/')

export interface TestClock {
  (): number
  advance(ms: number): void
}

/**
 * The clock starts at the real time, so that tokens made elsewhere are valid, and stands still until the test turns it.
 */
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
  /** Sends a request. A body is sent as JSON; `user` adds the session of that user. */
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, options?: CallOptions): Promise<Answer>
  /** Starts a grant, for scopes and resources if they are named, and returns its codes. */
  start(
    metadata?: Record<string, string>,
    asked?: { scope?: string; resource?: string | string[] }
  ): Promise<{ grant_code: string; user_code: string }>
  poll(grantCode: string): Promise<Answer>
  decide(userCode: string, user: string, action?: 'approve' | 'deny'): Promise<Answer>
  /** Starts a grant, lets the user approve it and collects it. Returns the client JWT. */
  collect(user: string, metadata?: Record<string, string>): Promise<string>
}

export interface CallOptions {
  user?: string
  token?: string
  body?: unknown
  headers?: Record<string, string>
}

const api = '/api/v0'

/**
 * Waits until a service is connected to Redis, if it is one that has to be. A start waits three seconds for that, which are not enough
 * on a machine that is very busy; 503 is then the right answer.
 */
export async function whenReady<T extends Pick<TestApp, 'call'>>(service: T): Promise<T> {
  await until(async () => (await service.call('GET', '/readyz')).status === 200)
  return service
}

/**
 * Builds an application from environment variables. Without REDIS_URL it keeps everything in memory. The test closes
 * it.
 */
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

  const start: TestApp['start'] = async (client_metadata = {}, asked = {}) =>
    (await call('POST', '/auth/grant/code', { body: { client_type: 'cli', client_metadata, ...asked } })).body
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
