/**
 * Runs better-auth with its device authorization plugin on node:http, as its documentation mounts it. The database is
 * SQLite through better-sqlite3 in the same process, with a write-ahead log and the indices of its own migration. In
 * the mode `memory` it is the adapter that keeps arrays in memory, which is not meant for production. Rate limits,
 * telemetry and logging are off.
 *
 * Run as: better-auth.ts PORT FILE | better-auth.ts PORT memory
 */
import { createServer } from 'node:http'
import { type BetterAuthOptions, betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { bearer, deviceAuthorization } from 'better-auth/plugins'
import Database from 'better-sqlite3'

const [port, place = ''] = process.argv.slice(2)
const url = `http://127.0.0.1:${port}`

const options = {
  baseURL: url,
  secret: 'better-auth signs its cookies with this, in the bench',
  database: place === 'memory' ? memoryAdapter(emptyTables()) : openDatabase(place),
  // The options are those of production, but rate limits would refuse the load, and telemetry and logs would cost CPU.
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
  emailAndPassword: { enabled: true },
  plugins: [deviceAuthorization({ expiresIn: '15m', interval: '5s' }), bearer()]
} satisfies BetterAuthOptions

const auth = betterAuth(options)
if (place !== 'memory') await (await getMigrations(options)).runMigrations()
createServer(toNodeHandler(auth)).listen(Number(port), '127.0.0.1')

function openDatabase(file: string) {
  const database = new Database(file)
  // These are the usual settings for speed: the writer does not block readers, and a commit does not wait for the disk.
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  return database
}

function emptyTables() {
  return { user: [], session: [], account: [], verification: [], deviceCode: [] }
}
