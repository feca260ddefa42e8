/** The load: wrk on one thread, posting the codes of a file as fast as they are answered. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEVICE_CODE_GRANT } from '../../src/oauth-clients/oauth-client.js'
import type { Lifetime } from './lifetime.js'

const SCRIPT = fileURLToPath(new URL('codes.lua', import.meta.url))

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

/** The body of POST /auth/grant/token. */
export const JSON_POLL: BodyShape = { type: 'application/json', before: '{"grant_code":"', after: '"}' }
/** The body of POST /oauth/token, as a stock client writes it. */
export const FORM_POLL: BodyShape = {
  type: 'application/x-www-form-urlencoded',
  before: `client_id=cli&grant_type=${encodeURIComponent(DEVICE_CODE_GRANT)}&device_code=`,
  after: ''
}

/** Posts every code once (wrk swallows the first), or as many as there is time for. */
export async function postCodes(
  lifetime: Lifetime,
  url: string,
  codes: readonly string[],
  { type, before, after } = JSON_POLL
): Promise<void> {
  const file = join(lifetime.directory, 'codes.txt')
  await writeFile(file, `${codes.join('\n')}\n`)
  const options = ['-t', '1', '-c', `${CONNECTIONS}`, '-d', `${LONGEST_RUN_SECONDS}`, '-s', SCRIPT]
  const wrk = spawn('wrk', [...options, url, '--', file, type, before, after], { stdio: ['ignore', 'ignore', 'pipe'] })
  lifetime.ends(() => wrk.kill('SIGKILL'))
  let complaints = ''
  wrk.stderr.on('data', (data) => {
    complaints += data
  })
  const [code] = await once(wrk, 'exit')
  if (code !== 0 && !lifetime.isOver()) throw new Error(`wrk failed: ${complaints}`)
}
