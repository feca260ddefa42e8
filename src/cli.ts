/** Operator commands, run beside the service and with its environment: `npm run grantd -- keys rotate`. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { buildApp } from './app.js'
import { loadConfig } from './config.js'
import { digestOf } from './secrets/digest.js'
import type { SigningKeys } from './tokens/signing-keys.js'

const USAGE = `usage: grantd keys list            the signing keys, and from when each of them signs
       grantd keys rotate [--now]  makes a new signing key: it is published at once and signs some minutes later,
                                   when everybody has had time to fetch it; with --now it signs at once
       grantd clients secret       makes a secret for an OAuth client, and the digest of it for OAUTH_CLIENTS_FILE`

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { now: { type: 'boolean' } } })
  const command = positionals.join(' ')
  if (command === 'clients secret') return printNewSecret()
  if (command !== 'keys list' && command !== 'keys rotate') throw new Error(USAGE)

  const config = loadConfig(process.env)
  if (!config.redis) throw new Error('the keys live in Redis: set REDIS_URL and GRANTD_SECRET as the service has them')
  const app = buildApp(config, { logger: false })
  try {
    await app.ready()
    await app.readiness.check()
    if (command === 'keys rotate') await app.signingKeys.rotate(values.now ? 'now' : 'published-ahead')
    for (const line of describe(app.signingKeys)) console.log(line)
  } finally {
    await app.close()
  }
}

/** The secret is for the client and shown this once; the service is only ever given the digest. */
function printNewSecret(): void {
  const secret = randomBytes(32).toString('base64url')
  console.log(`client_secret          ${secret}`)
  console.log(`client_secret_digests  ["${digestOf(secret)}"]`)
}

function describe(keys: SigningKeys): string[] {
  const published = new Set(keys.published().map(({ kid }) => kid))
  const current = keys.current()?.kid
  return keys.list().map(({ kid, alg, signsFromMs }) => {
    const since = new Date(signsFromMs).toISOString()
    const state = kid === current ? 'signs' : signsFromMs > Date.now() ? 'will sign' : 'only verifies'
    return `${kid}  ${alg}  ${state}, from ${since}${published.has(kid) ? '' : ', no longer published'}`
  })
}

try {
  await main()
  process.exit(0)
} catch (error) {
  console.error(`grantd: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
