/**
 * Decides a grant on the pages of the service, in the steps of a person at a browser: sign in by a name, enter the code, look at
 * the question, tick that the device shows the same code, approve or deny.
 */
import { type Action, DEMO_USER, type Decider } from './approve-by-api.js'
import type { Browser } from './browser.js'
import type { Page } from './page.js'
import type { Screen } from './screen.js'

const [LOGIN, CODE, QUESTION, RESULT] = ['login', 'device', 'device/confirm', 'device/done'] as const

/**
 * How users sign in, as the sign-in page shows it. `by name`: by typing any name, which services for trying out allow.
 * `as always`: at an identity provider. `elsewhere`: the service has no pages, because its users have a dashboard.
 */
export type SignIn = 'by name' | 'as always' | 'elsewhere'

export async function findSignIn(browser: Browser): Promise<SignIn> {
  const page = await browser.open(LOGIN)
  const byName = browser.formOf(page, LOGIN)?.fields.some(({ name, kind }) => name === 'name' && kind === 'text')
  if (byName) return 'by name'
  return page.status === 200 && page.heading !== '' ? 'as always' : 'elsewhere'
}

export function createPageDecider(screen: Screen, browser: Browser): Decider {
  /** Sends the form of a page that leads to this path, and resolves to what the browser shows then. */
  async function send(page: Page, path: string, answers: Record<string, string>): Promise<Page> {
    const form = browser.formOf(page, path)
    if (!form) throw unexpected(page)
    return browser.send(form, answers)
  }

  return async (code: string, action: Action) => {
    const signedIn = await send(await browser.open(LOGIN), LOGIN, { name: DEMO_USER })
    if (signedIn.status !== 200) throw unexpected(signedIn)

    const question = await send(await browser.open(CODE), CODE, { user_code: code })
    if (question.status === 400) throw new Error(`no request waits under ${code}: mistyped, expired or already decided`)
    if (question.status !== 200) throw unexpected(question)
    screen.pairs(Object.fromEntries(question.facts))

    const result = await send(question, QUESTION, { action, ...(action === 'approve' && { same: 'yes' }) })
    if (!result.url.pathname.endsWith(`/${RESULT}`)) throw unexpected(result)
  }
}

function unexpected({ status, url, heading }: Page): Error {
  return new Error(`the page ${url.pathname} says something else than was expected: ${status} ${heading}`.trim())
}
