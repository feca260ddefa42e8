/** The load: wrk on one thread, posting the codes of a file or sending one request over and over, as fast as it is answered. */
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

/** Enough to keep a server busy all the time; more would only wait in line. */
export const CONNECTIONS = 64
/** A machine on which a file of codes takes longer than this is not measured to the end of the file. */
const LONGEST_RUN_SECONDS = 30

/** What stands around the code in a body. */
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
/** The body of POST /oauth/token, as a stock client writes it. */
export const FORM_POLL: BodyShape = {
  type: 'application/x-www-form-urlencoded',
  before: `client_id=cli&grant_type=${encodeURIComponent(DEVICE_CODE_GRANT)}&device_code=`,
  after: ''
}

/**
 * Posts every code once (wrk swallows the first), or as many as there is time for. A connection goes on as soon as it is
 * answered, or rests for so long.
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

/** The same, but waits for every answer and makes sure that it says `authorization_pending`; answers with their number. */
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

/** Each load has a file of its own: several may run at the same time. */
async function writeCodes(lifetime: Lifetime, codes: readonly string[]): Promise<string> {
  const file = join(lifetime.directory, `codes-${randomUUID()}.txt`)
  await writeFile(file, `${codes.join('\n')}\n`)
  return file
}

/** What is sent over and over. */
export interface SameRequest {
  url: string
  method: 'GET' | 'POST'
  body?: string
  headers?: Readonly<Record<string, string>>
  /** Of every answer; another one ends the bench. */
  status: number
}

/** Sends it so many times, and waits for every answer. */
export async function sendSame(lifetime: Lifetime, request: SameRequest, times: number): Promise<void> {
  const { url, method, body = '', headers = {}, status } = request
  await runWrk(lifetime, REQUESTS, url, [`${times}`, `${status}`, method, body, ...Object.entries(headers).flat()])
}

/** Answers with what wrk and the script printed; the script has the last word. */
async function runWrk(lifetime: Lifetime, script: string, url: string, args: readonly string[]): Promise<string> {
  const options = ['-t', '1', '-c', `${CONNECTIONS}`, '-d', `${LONGEST_RUN_SECONDS}`, '-s', script]
  const wrk = spawn('wrk', [...options, url, '--', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  lifetime.ends(() => wrk.kill('SIGKILL'))
  const [printed, complaints, [code]] = await Promise.all([text(wrk.stdout), text(wrk.stderr), once(wrk, 'exit')])
  if (code !== 0 && !lifetime.isOver()) throw new Error(`wrk failed: ${complaints}`)
  return printed
}
