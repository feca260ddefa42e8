/**
 * The user's side of a grant: finds out how people sign in at the service, and decides a grant as one of them. Where anybody can
 * sign in by a name it uses the pages (approve-on-pages.ts), elsewhere the API with the secret of a dashboard (approve-by-api.ts).
 */
import { written } from './address.js'
import type { Api } from './api.js'
import { createApiDecider, DEMO_USER, type Decider } from './approve-by-api.js'
import { createPageDecider, type SignIn } from './approve-on-pages.js'
import type { Browser } from './browser.js'
import type { Screen } from './screen.js'

export interface DeciderParts {
  address: URL
  screen: Screen
  browser: Browser
  api: Api
  signIn: SignIn
  env: NodeJS.ProcessEnv
}

/** Throws if the demo has no way to sign in, before anything was asked of the service. */
export async function createDecider(parts: DeciderParts): Promise<Decider> {
  const { address, screen, browser, api, signIn, env } = parts
  if (signIn !== 'by name' && !env.DASHBOARD_JWT_SECRET) {
    throw new Error(
      `nobody can sign in by a name at ${written(address)}, and DASHBOARD_JWT_SECRET is not set:\n` +
        'set it to what that service has, or decide on your dashboard.'
    )
  }
  const decide = signIn === 'by name' ? createPageDecider(screen, browser) : await createApiDecider(screen, api, env)
  return async (code, action) => {
    screen.heading('Somebody asks to act in your name')
    await decide(code, action)
    screen.line()
    screen.line(
      `${action === 'approve' ? screen.style('green', 'Approved') : screen.style('red', 'Denied')} as ${DEMO_USER}.`
    )
  }
}
