/** How long commands of the program take as a whole, from their start to their end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { GRANTD_SECRET } from '../../test/support/app.js'
import { inRoot } from '../../test/support/root.js'
import { DASHBOARD_SECRET } from '../../test/support/tokens.js'
import { type Figure, percentile } from '../support/report.js'

const PROGRAM = inRoot('dist/src/cli.js')
const TIMES = 12

/** Runs a command so often, one after the other. Throws if it ends with another code than 0. */
export async function timeCommand(redisUrl: string, name: string, argsOf: () => string[]): Promise<Figure[]> {
  const env = { PATH: process.env.PATH, REDIS_URL: redisUrl, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET }
  const delays: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const startedAt = performance.now()
    const command = spawn(process.execPath, [PROGRAM, ...argsOf()], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    const [code] = await once(command, 'exit')
    if (code !== 0) throw new Error(`${name} ended with ${code}`)
    delays.push(performance.now() - startedAt)
  }
  return [
    { name: `${name}, p50`, value: percentile(delays, 0.5), unit: 'ms' },
    { name: `${name}, slowest of ${TIMES}`, value: Math.max(...delays), unit: 'ms' }
  ]
}
