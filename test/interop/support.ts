/** A service for clients of other authors, with OAuth clients of its own, a user, and a record of every answer. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { digestOf } from '../../src/core/secrets/digest.js'
import { PATIENT, startApp, type TestApp } from '../support/app.js'
import { type ApiClient, apiClient } from '../support/client.js'
import { freePort } from '../support/ports.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { startConnectedService } from '../support/service.js'

/** The secret has only characters that form-encoding changes, or that decoding twice would change. */
export const SECRET = 'p&ss w+rd:100%/ü=?"%41'
/** A confidential client. These libraries also form-encode its id, which has characters that this changes. */
export const TOOL = 'acme.tool_1~x-y'
/** A confidential client that gets no tokens and introspects those of others. */
export const RESOURCE_SERVER = 'acme-api'

/** Two APIs with their own tokens (RFC 8707). */
export const FILMS = 'https://films.example/v1'
export const BOOKS = 'https://books.example'

const RESOURCES = [
  { identifier: FILMS, name: 'Films', scope: 'films.read', built_in_clients: true },
  { identifier: BOOKS, name: 'Books', scope: 'books.read' }
]
const CLIENTS = [
  {
    client_id: TOOL,
    client_name: 'Acme Tool',
    client_secret_digests: [digestOf(SECRET)],
    scope: 'openid offline_access reports.read reports.write',
    access_token_ttl_seconds: 300,
    redirect_uris: ['https://tool.example/callback'],
    resources: [FILMS, BOOKS]
  },
  { client_id: RESOURCE_SERVER, client_secret_digests: [digestOf(SECRET)], grant_types: [] }
]

/** An answer of the OAuth surface. `error` comes from its body or from its challenge. */
export interface SeenAnswer {
  path: string
  status: number
  error: string | undefined
  headers: Headers
  bytes: number
}

export interface Issuer {
  /** The URL of the issuer, which is all that a client is told. */
  url: string
  /** A fetch for the `customFetch` of a library. */
  fetch(url: string, init: object): Promise<Response>
  answers: SeenAnswer[]
  /** Returns the errors of all answers from this path so far; an answer without error is "ok". */
  outcomes(path: string): (string | undefined)[]
  /** Decides as the user does, through the dashboard API. */
  decide: ApiClient['decide']
  api: ApiClient
}

/** Starts the service in this process on a free port, by default in memory, with a clock that the test turns. */
export async function startIssuer(
  t: Test,
  { path = '', ...variables }: Record<string, string> = {}
): Promise<Issuer & Pick<TestApp, 'app' | 'clock'>> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const settings = { PUBLIC_URL: origin + path, OAUTH_CLIENTS_FILE: await clientsFile(t), POLL_INTERVAL_SECONDS: '1' }
  const { app, clock } = await startApp(t, { ...settings, ...variables })
  await app.listen({ host: '127.0.0.1', port })
  return { ...issuerAt(origin + path, [origin]), app, clock }
}

export interface IssuerOverRedis extends Issuer {
  redis: RedisServer
  /** The variables of both processes. */
  variables: Record<string, string>
}

/** Starts two processes of the built service over one Redis; requests go to them in turn. One listens at `url`. */
export async function startIssuerOverRedis(
  t: Test,
  url: string,
  more: Record<string, string> = {}
): Promise<IssuerOverRedis> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = {
    ...PATIENT,
    REDIS_URL: redis.url,
    PUBLIC_URL: url,
    OAUTH_CLIENTS_FILE: await clientsFile(t),
    POLL_INTERVAL_SECONDS: '1',
    LOG_LEVEL: 'warn',
    ...more
  }
  const { port } = new URL(url)
  const services = await Promise.all([
    startConnectedService(t, { ...variables, PORT: port }),
    startConnectedService(t, variables)
  ])
  const origins = services.map((service) => service.url)
  return { ...issuerAt(url, origins), redis, variables }
}

export async function clientsFile(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-interop-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'clients.json')
  await writeFile(file, JSON.stringify({ clients: CLIENTS, resources: RESOURCES }))
  return file
}

function issuerAt(url: string, origins: readonly string[]): Issuer {
  const answers: SeenAnswer[] = []
  const api = apiClient(origins[0] ?? url)
  let requests = 0
  return {
    url,
    answers,
    api,
    decide: api.decide,
    outcomes: (path) => answers.filter((answer) => answer.path === path).map(({ error = 'ok' }) => error),

    async fetch(target, init) {
      const { pathname, search } = new URL(target)
      const answer = await fetch(`${origins[requests++ % origins.length]}${pathname}${search}`, init)
      const { status, headers } = answer
      const text = await answer.clone().text()
      const error = namedError(text) ?? /\berror="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]
      answers.push({ path: pathname, status, headers, error, bytes: Buffer.byteLength(text) })
      return answer
    }
  }
}

function namedError(text: string): string | undefined {
  return text === '' ? undefined : JSON.parse(text).error
}

/** The error that both libraries throw for a refusal in the body (RFC 6749 §5.2). */
export const refusal = (error: string, status = 400) => ({ name: 'ResponseBodyError', error, status })

/** The error that both libraries throw for a refusal in the header WWW-Authenticate (RFC 6750 §3). */
export const challenge = (scheme: string, parameters: Record<string, string>, status = 401) => ({
  name: 'WWWAuthenticateChallengeError',
  status,
  cause: [{ scheme, parameters: { realm: 'grantd', ...parameters } }]
})

/** The error for a refusal whose header names both ways to prove who one is. */
export const BASIC_OR_BEARER = {
  name: 'WWWAuthenticateChallengeError',
  status: 401,
  cause: ['basic', 'bearer'].map((scheme) => ({ scheme, parameters: { realm: 'grantd' } }))
}

/**
 * Checks every answer: it has a Content-Length and no chunks, JSON if it has a body, and may not be cached with a
 * token.
 */
export function checkAnswers(t: Test, { answers }: Issuer): void {
  t.ok(answers.length > 0, 'there were answers')
  const without = (rule: (answer: SeenAnswer) => boolean) =>
    answers.filter((answer) => !rule(answer)).map(({ status, path }) => `${status} of ${path}`)
  t.same(
    without(({ headers }) => !headers.has('transfer-encoding')),
    [],
    'none comes in chunks'
  )
  t.same(
    without(({ headers, bytes }) => headers.get('content-length') === `${bytes}`),
    [],
    'each says its length'
  )
  const mediaType = (bytes: number) => (bytes > 0 ? 'application/json' : null)
  t.same(
    without(({ headers, bytes }) => headers.get('content-type') === mediaType(bytes)),
    [],
    'each is plainly JSON'
  )
  const isPublic = (path: string) => path.includes('/.well-known/')
  t.same(
    without(({ path, headers }) => isPublic(path) || headers.get('cache-control') === 'no-store'),
    [],
    'no cache keeps one that is not public'
  )
}
