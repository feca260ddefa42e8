/**
 * Runs and shows a grant from the client's side: requested, decided, collected, used, revoked. The steps after the decision are
 * in token-in-use.ts.
 */
import { readFileSync } from 'node:fs'
import { arch, hostname, release, type } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLine } from './address.js'
import { createApi } from './api.js'
import { createDecider } from './approve.js'
import type { Decider } from './approve-by-api.js'
import { findSignIn, type SignIn } from './approve-on-pages.js'
import { createBrowser } from './browser.js'
import { showCode } from './code-card.js'
import type { Decision, Grant } from './grant-answers.js'
import { createGrantClient, type Delay, type GrantClient, type GrantRequest } from './grant-client.js'
import { openInBrowser } from './open-browser.js'
import { printable, type Screen } from './screen.js'
import { revokeItself, showIdentity, showOwnRow } from './token-in-use.js'
import { showWaiting } from './waiting.js'

const LOOK_SECONDS = 10

export interface Story {
  address: URL
  screen: Screen
  signal: AbortSignal
  approveItself: boolean
  withQr: boolean
  opensBrowser: boolean
}

/** Runs all steps. Resolves to false if the grant was denied or expired. */
export async function tellStory(story: Story): Promise<boolean> {
  const { address, screen, signal } = story
  const apiUrl = new URL('api/v0', address).href
  const api = createApi(apiUrl, signal)
  const client = createGrantClient({ apiUrl })
  const browser = createBrowser(address, signal)
  const signIn = await findSignIn(browser)
  // The decider is made before the grant is started, so that a missing secret is reported first.
  const decide = story.approveItself
    ? await createDecider({ address, screen, browser, api, signIn, env: process.env })
    : undefined

  const grant = await client.start(introduction(), signal)
  const decision = await untilDecided(story, client, grant, signIn, decide).catch(async (error: unknown) => {
    // A stopped demo withdraws its grant, so that nobody can approve it later.
    if (signal.aborted) await withdraw(screen, client, grant)
    throw error
  })

  if (decision.kind === 'approved') {
    screen.line(`${screen.style('green', 'Approved.')} The client has its JWT, and keeps it to itself.`)
    const self = showIdentity(screen, decision.token)
    await showOwnRow(screen, api, self)
    if (screen.isLively && !decide && signIn !== 'elsewhere') await leaveTimeToLook(story, grant)
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

/** Shows the code, has it decided if the demo does that itself, and polls. */
async function untilDecided(
  story: Story,
  client: GrantClient,
  grant: Grant,
  signIn: SignIn,
  decide: Decider | undefined
): Promise<Decision> {
  const { screen, signal } = story
  await showCode(screen, grant, story.withQr)
  if (decide) await decide(grant.user_code, 'approve')
  else showWhereToDecide(story, grant, signIn)

  screen.line()
  const waiting = showWaiting(screen, 'Waiting for the decision', grant.expires_in)
  if (story.opensBrowser) {
    openInBrowser(grant.verification_uri_complete).catch(({ message }: Error) =>
      waiting.note(`The browser could not be opened (${message}): follow the link yourself.`)
    )
  }
  const onDelay = (delay: Delay) => waiting.note(describe(delay))
  return client.waitForDecision(grant, { signal, onDelay }).finally(waiting.end)
}

/** A person who has just approved sees on the page that the device has it, and in the list what it is, before it is over. */
async function leaveTimeToLook({ screen, signal }: Story, grant: Grant): Promise<void> {
  // The list is beside the page for the code, where the user is signed in; the demo may know the service by another name.
  const list = printable(new URL('account/clients', grant.verification_uri).href)
  screen.line()
  screen.line(`Your browser lists it at ${screen.style('underline', list)}`)
  const waiting = showWaiting(screen, 'It revokes itself', LOOK_SECONDS)
  await sleep(LOOK_SECONDS * 1000, undefined, { signal }).finally(waiting.end)
}

async function withdraw(screen: Screen, client: GrantClient, grant: Grant): Promise<void> {
  screen.line()
  try {
    await client.withdraw(grant)
    screen.line('The request is withdrawn.')
  } catch {
    screen.line('The request could not be withdrawn: it ends by itself when its time is over.')
  }
}

/** The client's self-description, which the user sees when deciding. */
function introduction(): GrantRequest {
  const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve('grantd/package.json')), 'utf8'))
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

function showWhereToDecide({ address, screen }: Story, grant: Grant, signIn: SignIn): void {
  const link = screen.style('underline', printable(grant.verification_uri_complete))
  screen.line()
  screen.line(`Sign in at ${link} ${signIn === 'by name' ? 'with any name' : 'as you always do'},`)
  if (signIn === 'by name' || process.env.DASHBOARD_JWT_SECRET) {
    screen.line('and approve or deny. Or do it in a second terminal:')
  } else {
    screen.line('and approve or deny. Or set DASHBOARD_JWT_SECRET in a second terminal')
    screen.line('to what the service has, and do it there:')
  }
  screen.line(screen.style('bold', commandLine(address, 'approve', printable(grant.user_code))))
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
