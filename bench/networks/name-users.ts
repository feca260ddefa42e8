/** Requests of the first instance that need the name of somebody else looked up, beside the load, and what comes of them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTransport } from '../faults/transport.js'

/** So many are under way at a time, of each kind: far more than the four threads that Node looks names up with. */
const AT_ONCE = 10
const DOMAIN = 'network.test'
const WEBHOOK_SECRET = `whsec_${Buffer.from('what a receiver and the service know').toString('base64')}`

/** Writes the files and names the variables that let an instance depend on others. Nobody listens at those names. */
export async function dependOnNames(directory: string): Promise<Record<string, string>> {
  const write = (name: string, content: unknown) => {
    const file = join(directory, name)
    writeFileSync(file, JSON.stringify(content))
    return file
  }
  const provider = {
    id: 'acme',
    name: 'Acme',
    issuer: `https://idp.${DOMAIN}`,
    client_id: 'grantd',
    client_secret: 'x'
  }
  const webhook = { id: 'hook', url: `http://hooks.${DOMAIN}/`, secret: WEBHOOK_SECRET, types: ['*'], internal: true }
  return {
    PROVIDERS_FILE: write('providers.json', { providers: [provider] }),
    WEBHOOKS_FILE: write('webhooks.json', [webhook]),
    CLIENT_ID_METADATA: 'on'
  }
}

/** Asks for sign-ins and for clients known by a URL, without a pause. Resolves to the function that ends it and says what came of it. */
export async function askOthers(url: string): Promise<() => Promise<string[]>> {
  const transport = createTransport(url)
  const statuses: Record<string, number> = {}
  let isOver = false
  let number = 0
  await lagMs()

  async function lagMs(): Promise<number> {
    const { body } = await transport.send({ method: 'GET', path: '/metrics' })
    return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(body)?.[1]) * 1_000
  }

  async function askOnAndOn(pathOf: () => string): Promise<void> {
    while (!isOver) {
      const { status } = await transport.send({ method: 'GET', path: pathOf() })
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  const signIn = () => '/login/acme'
  // Each of another host, so that each is looked up.
  const client = () => `/oauth/authorize?${new URLSearchParams(askOf(number++))}`
  const asking = [signIn, client].flatMap((pathOf) => Array.from({ length: AT_ONCE }, () => askOnAndOn(pathOf)))

  return async () => {
    const lag = await lagMs()
    isOver = true
    await Promise.all(asking)
    transport.close()
    const said = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`)
    if (statuses[500]) throw new Error(`requests that need others were answered ${said.join(', ')}`)
    return [`requests that need those names: ${said.join(', ')}`, `event loop late by ${lag.toFixed(0)} ms (p99)`]
  }
}

const askOf = (number: number) => ({
  client_id: `https://app-${number}.${DOMAIN}/client.json`,
  redirect_uri: `https://app-${number}.${DOMAIN}/callback`,
  response_type: 'code',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256'
})
