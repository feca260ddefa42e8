/**
 * The least browser that can use grantd's pages: it keeps cookies, follows redirects and sends the forms it was shown. It talks to
 * one service only, so that neither a redirect nor a form can send a cookie or a code elsewhere.
 */
import { type Form, fillIn, type Page, readPage } from './page.js'

const REQUEST_TIMEOUT_MS = 10_000
const MOST_REDIRECTS = 5

export interface Browser {
  /** Opens a page by its path below the address of the service. */
  open(path: string): Promise<Page>
  /** The form of a page that leads to this path. */
  formOf(page: Page, path: string): Form | undefined
  /** Sends a form with these answers, and resolves to the page it leads to. */
  send(form: Form, answers: Record<string, string>): Promise<Page>
}

export function createBrowser(address: URL, signal: AbortSignal): Browser {
  const cookies = new Map<string, string>()

  /**
   * Accepts Secure cookies over http too, because the only http addresses are on the loopback, which browsers also
   * trust (address.ts).
   */
  function keepCookies(response: Response): void {
    for (const header of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(header) ?? []
      // An empty value deletes the cookie.
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
  }

  async function load(url: URL, body?: URLSearchParams): Promise<Page> {
    let response = await request(url, body)
    let shown = url
    for (let redirects = 0; response.status === 303; redirects++) {
      if (redirects === MOST_REDIRECTS) throw new Error('the pages lead round in circles')
      shown = new URL(response.headers.get('location') ?? '', shown)
      response = await request(shown)
    }
    const isHtml = response.headers.get('content-type')?.startsWith('text/html') === true
    const text = await response.text()
    return readPage(response.status, shown, isHtml ? text : '')
  }

  async function request(url: URL, body?: URLSearchParams): Promise<Response> {
    if (url.origin !== address.origin) throw new Error(`the pages lead away, to ${url.origin}`)
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      headers: {
        accept: 'text/html',
        'accept-language': 'en',
        ...(cookies.size > 0 && { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') })
      },
      ...(body && { body }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)])
    })
    keepCookies(response)
    return response
  }

  return {
    open: (path) => load(new URL(path, address)),
    formOf: (page, path) => page.forms.find(({ action }) => action.href === new URL(path, address).href),
    send: (form, answers) => load(form.action, fillIn(form, answers))
  }
}
