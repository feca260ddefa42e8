/**
 * npm run test:networks [-- NAME …]: breaks the network between grantd and Redis in each way of rows.ts, with a namespace for each
 * node, and writes what came of it into the table of docs/tested-with.md. Needs root. Ends with code 1 if anything was
 * violated. This process makes the network and removes it; another one, in the clients' namespace, does the rest.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { commandAt } from '../../test/support/place.js'
import { makeNetwork, removeNetwork } from './namespaces.js'
import { ROWS } from './rows.js'
import { runRows } from './run-rows.js'

const { values, positionals } = parseArgs({
  options: { inside: { type: 'string' } },
  allowPositionals: true
})
const chosen = ROWS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
if (chosen.length === 0) throw new Error(`no such row; there are ${ROWS.map(({ name }) => name).join(', ')}`)

if (values.inside !== undefined) await runRows(values.inside, chosen)
else process.exitCode = await runInNetwork(`grantd-${process.pid}`)

async function runInNetwork(run: string): Promise<number> {
  try {
    const clients = makeNetwork(run)
    const [script = ''] = process.argv.slice(1)
    const args = [...process.execArgv, script, ...positionals, '--inside', run]
    // In a process group of its own, so that a signal of the terminal comes once, from here.
    const inside = spawn(...commandAt(clients, process.execPath, args), { stdio: 'inherit', detached: true })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => inside.kill(signal))
    const [code] = await once(inside, 'exit')
    return code ?? 1
  } finally {
    removeNetwork(run)
  }
}
