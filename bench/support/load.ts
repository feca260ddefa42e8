/**
 * Generates load with wrk on one thread: posts the codes of a file, or repeats one request, as fast as the server
 * answers.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import type { Lifetime } from './lifetime.js'

const CODES = fileURLToPath(new URL('codes.lua', import.meta.url))
const PENDING = fileURLToPath(new URL('pending.lua', import.meta.url))
const REQUESTS = fileURLToPath(new URL('requests.lua', import.meta.url))

/** Enough connections to keep a server busy all the time; the requests of further ones would only queue. */
export const CONNECTIONS = 64
/** wrk stops after this time, even if it has not sent all codes on a slow machine. */
const LONGEST_RUN_SECONDS = 30

/** The media type of a body, and the text around the code in it. */
export interface BodyShape {
  type: string
  before: string
  after: string
}

export const POLL_PATH = '/api/v0/auth/grant/token'
export const TOKEN_PATH = '/oauth/token'

export const JSON_TYPE = 'application/json'
/** The body of POST /auth/grant/token. */
export const JSON_POLL: BodyShape = { type: JSON_TYPE, before: '{"grant_code":"', after: '"}' }
/** The body of POST /oauth/token as a stock client sends it. */
export const FORM_POLL: BodyShape = {
  type: 'application/x-www-form-urlencoded',
  before: `client_id=cli&grant_type=${encodeURIComponent(DEVICE_CODE_GRANT)}&device_code=`,
  after: ''
}

/**
 * Posts every code once, or as many as the time allows; wrk swallows the first. A connection sends its next request as
 * soon as it is answered, or after `restMs`.
 */
export async function postCodes(
  lifetime: Lifetime,
  url: string,
  codes: readonly string[],
  { type, before, after } = JSON_POLL,
  restMs = 0
): Promise<void> {
  const file = await writeCodes(lifetime, codes)
  await runWrk(lifetime, CODES, url, [file, type, before, after, `${restMs}`, `${CONNECTIONS}`])
}

/**
 * Posts every code, waits for every answer and checks that it says `authorization_pending`. Returns the number of
 * answers.
 */
export async function postPending(
  lifetime: Lifetime,
  url: string,
  codes: readonly string[],
  { type, before, after }: BodyShape
): Promise<number> {
  const printed = await runWrk(lifetime, PENDING, url, [await writeCodes(lifetime, codes), type, before, after])
  const answers = Number(printed.trim().split('\n').at(-1))
  if (answers !== codes.length && !lifetime.isOver()) throw new Error(`${codes.length} polls and ${answers} answers`)
  return answers
}

/** The delays of answers, in milliseconds. */
export interface Delays {
  p50: number
  p99: number
}

/** Posts codes at a steady pace for so many seconds, beginning again after the last. Throws if an answer fails. */
export async function postSteadily(
  lifetime: Lifetime,
  url: string,
  codes: readonly string[],
  perSecond: number,
  seconds: number
): Promise<Delays> {
  const { type, before, after } = JSON_POLL
  const restMs = Math.round((CONNECTIONS / perSecond) * 1000)
  const args = [await writeCodes(lifetime, codes), type, before, after, `${restMs}`, `${CONNECTIONS}`, 'again']
  const printed = await runWrk(lifetime, CODES, url, args, CONNECTIONS, seconds)
  const [, failed = 0, p50 = 0, p99 = 0] = printed.trim().split('\n').at(-1)?.split(' ').map(Number) ?? []
  if (failed > 0 && !lifetime.isOver()) throw new Error(`${failed} polls failed`)
  return { p50, p99 }
}

/** Every load gets its own file, because several loads may run at the same time. */
async function writeCodes(lifetime: Lifetime, codes: readonly string[]): Promise<string> {
  const file = join(lifetime.directory, `codes-${randomUUID()}.txt`)
  await writeFile(file, `${codes.join('\n')}\n`)
  return file
}

/** A request that wrk repeats. */
export interface SameRequest {
  url: string
  method: 'GET' | 'POST'
  body?: string
  headers?: Readonly<Record<string, string>>
  /** The expected status. Any other answer ends the bench. */
  status: number
}

/** Sends the request `times` times, on so many connections at once, and waits for every answer. */
export async function sendSame(
  lifetime: Lifetime,
  request: SameRequest,
  times: number,
  connections = CONNECTIONS
): Promise<void> {
  const { url, method, body = '', headers = {}, status } = request
  const args = [`${times}`, `${status}`, method, body, ...Object.entries(headers).flat()]
  await runWrk(lifetime, REQUESTS, url, args, connections)
}

/** Returns what wrk and the script printed; the output of the script comes last. */
async function runWrk(
  lifetime: Lifetime,
  script: string,
  url: string,
  args: readonly string[],
  connections = CONNECTIONS,
  seconds = LONGEST_RUN_SECONDS
): Promise<string> {
  const options = ['-t', '1', '-c', `${connections}`, '-d', `${seconds}`, '-s', script]
  const wrk = spawn('wrk', [...options, url, '--', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  lifetime.ends(() => wrk.kill('SIGKILL'))
  const [printed, complaints, [code]] = await Promise.all([text(wrk.stdout), text(wrk.stderr), once(wrk, 'exit')])
  if (code !== 0 && !lifetime.isOver()) throw new Error(`wrk failed: ${complaints}`)
  return printed
}
