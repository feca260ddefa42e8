/**
 * Runs and shows a grant from the client's side: requested, decided, collected, used, revoked. The steps after the decision are
 * in token-in-use.ts.
 */
import { readFileSync } from 'node:fs'
import { arch, hostname, release, type } from 'node:os'
import { commandLine } from './address.js'
import { createApi } from './api.js'
import { createSession, decide } from './approve.js'
import { showCode } from './code-card.js'
import { createGrantClient, type Delay, type GrantRequest } from './grant-client.js'
import { printable, type Screen } from './screen.js'
import { findSecret } from './session-secret.js'
import { revokeItself, showIdentity, showOwnRow } from './token-in-use.js'
import { showWaiting } from './waiting.js'

export interface Story {
  address: URL
  screen: Screen
  signal: AbortSignal
  /** Whether the demo started the service, which then has the demo sign-in instead of a dashboard. */
  isOwnService: boolean
  approveItself: boolean
  withQr: boolean
}

/** Runs all steps. Resolves to false if the grant was denied or expired. */
export async function tellStory(story: Story): Promise<boolean> {
  const { address, screen, signal } = story
  const apiUrl = new URL('api/v0', address).href
  const api = createApi(apiUrl, signal)
  const client = createGrantClient({ apiUrl })
  // Before the grant is started, so that a missing secret is reported first.
  const session = story.approveItself ? await createSession(address, process.env) : undefined

  const grant = await client.start(introduction(), signal)
  await showCode(screen, grant, story.withQr)
  if (session === undefined) showWhereToDecide(story, grant.user_code)
  else await decide(screen, api, session, grant.user_code, 'approve')

  screen.line()
  const waiting = showWaiting(screen, grant.expires_in)
  const onDelay = (delay: Delay) => waiting.note(describe(delay))
  const decision = await client.waitForDecision(grant, { signal, onDelay }).finally(waiting.end)

  if (decision.kind === 'approved') {
    screen.line(`${screen.style('green', 'Approved.')} The client has its JWT, and keeps it to itself.`)
    const self = showIdentity(screen, decision.token)
    await showOwnRow(screen, api, self)
    await revokeItself(screen, api, self)
    return true
  }
  screen.line(
    decision.kind === 'denied'
      ? `${screen.style('red', 'Denied.')} Whoever looked at the request refused it; this client gets nothing.`
      : `${screen.style('red', 'Expired.')} Nobody decided in time. Run the demo again for a new code.`
  )
  return false
}

/** The client's self-description, which the user sees when deciding. */
function introduction(): GrantRequest {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return {
    client_type: 'demo',
    client_metadata: {
      name: 'grantd-demo',
      version,
      hostname: hostname().slice(0, 255),
      os: `${type()} ${release()} ${arch()}`.slice(0, 64)
    }
  }
}

function showWhereToDecide({ address, screen, isOwnService }: Story, userCode: string): void {
  screen.line()
  if (isOwnService) {
    screen.line('Approve or deny it on that page, signed in by any name you like, or in a second terminal:')
  } else if (findSecret(address, process.env) !== undefined) {
    screen.line('Approve or deny it on your dashboard, or in a second terminal:')
  } else {
    screen.line('Approve it on your dashboard. Or set DASHBOARD_JWT_SECRET in a second terminal')
    screen.line('to what the service has, and approve or deny it there:')
  }
  screen.line(screen.style('bold', commandLine(address, 'approve', printable(userCode))))
}

function describe({ kind, pauseSeconds }: Delay): string {
  const seconds = Math.round(pauseSeconds)
  switch (kind) {
    case 'slow_down':
      return `The service asks for longer pauses: every ${seconds} s from now on.`
    case 'busy':
      return `The service is busy: asking again in ${seconds} s.`
    case 'unreachable':
      return `The service is out of reach: asking again in ${seconds} s.`
  }
}
