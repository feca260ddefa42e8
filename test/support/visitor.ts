/**
 * A user with a browser, as far as pages without scripts need one. It keeps cookies as browsers do, fills in the forms
 * that it sees and follows redirects. It throws on a cookie that is less restricted than the cookies of these pages
 * must be.
 */
import type { InjectOptions } from 'fastify'
import type { TestApp } from './app.js'
import { visitProvider } from './sign-in.js'

export interface SetCookie {
  name: string
  value: string
  /** The attributes of the cookie, names in lower case; an attribute without a value is ''. */
  attributes: ReadonlyMap<string, string>
}

export interface Page {
  method: string
  /** The requested URL with its query. */
  url: string
  status: number
  headers: Record<string, unknown>
  /** The body as it was sent. */
  body: string
  /** The readable text of the page, with entities resolved and whitespace collapsed. */
  text: string
  location: string | undefined
  setCookies: SetCookie[]
}

export interface VisitOptions {
  /** Headers that replace those of a browser; `undefined` removes one. */
  headers?: Record<string, string | undefined>
  method?: InjectOptions['method']
  /** A body that is sent as it is. */
  payload?: string | Buffer
}

/** Fields of a form. `undefined` removes a field that the page has, and a list repeats one. */
export type FormFields = Record<string, string | readonly string[] | undefined>

export interface Visitor {
  /** The cookies of the browser by name. Each is dropped when it expires. */
  readonly cookies: Jar
  /** Every answer so far. */
  readonly pages: readonly Page[]
  /** What the browser shows: the last answer that was not a redirect. */
  readonly shown: Page
  /** Requests a path below PUBLIC_URL. */
  get(path: string, options?: VisitOptions): Promise<Page>
  /**
   * Sends the form of the shown page with this action, with its hidden fields. If there is none, sends the CSRF token
   * of another form.
   */
  post(path: string, fields?: FormFields, options?: VisitOptions): Promise<Page>
  /** Follows the redirects of an answer until a page is shown. */
  follow(answer: Page | Promise<Page>): Promise<Page>
  /** Returns the value of a hidden field of the shown page. */
  hidden(name: string, action?: string): string
  /** Signs in by name, where that is possible, and follows the redirects. */
  signIn(name: string): Promise<Page>
  /** Signs in at an upstream as the user of this name there. */
  signInAt(providerId: string, login: string): Promise<Page>
  /**
   * Begins a sign-in at an upstream. Returns the path to which the upstream redirects the browser, which is not
   * requested yet.
   */
  visitProvider(path: string, login: string, action?: 'allow' | 'refuse'): Promise<string>
  /** Enters a code and arrives at the consent page. */
  enter(userCode: string): Promise<Page>
  /** Returns the same browser at another instance, or at the service after a restart. */
  moveTo(service: TestApp): Visitor
}

export interface Jar {
  get(name: string): string | undefined
  set(name: string, value: string): void
  delete(name: string): void
  names(): string[]
  header(): string
}

export const SESSION_COOKIE = '__Host-grantd-session'
export const CODE_COOKIE = '__Host-grantd-code'
export const VISITOR_COOKIE = '__Host-grantd-visitor'
/** What the names of cookies begin with that hold what programs ask for. */
export const ASK_COOKIE = '__Host-grantd-ask-'
const LONGEST_COOKIE_SECONDS = 43_200

interface Browser {
  cookies: ReturnType<typeof createJar>
  pages: Page[]
  shown: Page | undefined
}

const newBrowser = (clock: () => number): Browser => ({ cookies: createJar(clock), pages: [], shown: undefined })

export function createVisitor(service: TestApp, browser = newBrowser(service.clock)): Visitor {
  const { app } = service
  const { cookies, pages } = browser
  const base = new URL(app.config.publicUrl).pathname.replace(/\/$/, '')

  async function ask(method: NonNullable<InjectOptions['method']>, url: string, options: VisitOptions): Promise<Page> {
    const sent = {
      // Browsers send these headers under a referrer policy of `no-referrer`: the origin of a form is then null.
      ...(method === 'POST' && { origin: 'null', 'content-type': 'application/x-www-form-urlencoded' }),
      'sec-fetch-site': browser.shown || method === 'POST' ? 'same-origin' : 'none',
      cookie: cookies.header() || undefined,
      ...options.headers
    }
    const headers = Object.fromEntries(
      Object.entries(sent).filter((entry): entry is [string, string] => entry[1] !== undefined)
    )
    const payload = options.payload === undefined ? {} : { payload: options.payload }
    const answer = await app.inject({ method, url, headers, ...payload })
    const setCookies = [answer.headers['set-cookie'] ?? []].flat().map(readSetCookie)
    for (const cookie of setCookies) cookies.take(cookie)
    const page: Page = {
      method,
      url,
      status: answer.statusCode,
      headers: answer.headers,
      body: answer.body,
      text: textOf(answer.body),
      location: answer.headers.location,
      setCookies
    }
    pages.push(page)
    if (page.location === undefined && method !== 'HEAD') browser.shown = page
    return page
  }

  const visitor: Visitor = {
    cookies,
    pages,
    get shown() {
      if (!browser.shown) throw new Error('this browser shows nothing yet')
      return browser.shown
    },

    get: (path, options = {}) => ask(options.method ?? 'GET', base + path, options),

    post(path, fields = {}, options = {}) {
      const { body } = browser.shown ?? {}
      const form = body === undefined ? {} : (formOf(body, base + path) ?? tokenOf(body))
      const all = Object.entries({ ...form, ...fields }).flatMap(([name, value]) =>
        value === undefined ? [] : [value].flat().map((one): [string, string] => [name, one])
      )
      const payload = options.payload ?? new URLSearchParams(all).toString()
      return ask(options.method ?? 'POST', base + path, { ...options, payload })
    },

    async follow(answer) {
      let page = await answer
      for (let steps = 0; page.location !== undefined; steps++) {
        if (steps > 10) throw new Error('the pages go round in circles')
        if (!/^\/(?![/\\])/.test(page.location)) throw new Error(`sent away, to ${page.location}`)
        page = await ask('GET', page.location, {})
      }
      return page
    },

    hidden(name, action) {
      const fields = action === undefined ? hiddenFields(visitor.shown.body) : formOf(visitor.shown.body, base + action)
      const value = fields?.[name]
      if (value === undefined) throw new Error(`no hidden field ${name}: ${visitor.shown.status} ${visitor.shown.text}`)
      return value
    },

    async signIn(name) {
      await visitor.get('/login')
      return visitor.follow(visitor.post('/login', { name }))
    },

    async signInAt(providerId, login) {
      await visitor.get('/login')
      return visitor.follow(visitor.get(await visitor.visitProvider(`/login/${providerId}`, login)))
    },

    async visitProvider(path, login, action = 'allow') {
      const { status, text, location = '' } = await visitor.get(path)
      if (status !== 303) throw new Error(`not sent to a provider: ${status} ${text}`)
      const { pathname, search } = await visitProvider(new URL(location), app.config.publicUrl, login, action)
      return pathname.slice(base.length) + search
    },

    async enter(userCode) {
      await visitor.follow(visitor.get('/device'))
      return visitor.follow(visitor.post('/device', { user_code: userCode }))
    },

    moveTo: (other) => createVisitor(other, browser)
  }
  return visitor
}

/** Opens a browser in which a user has signed in by name. */
export async function signedIn(service: TestApp, name = 'ann'): Promise<Visitor> {
  const visitor = createVisitor(service)
  await visitor.signIn(name)
  return visitor
}

interface KeptCookie {
  value: string
  untilMs: number
}

function createJar(clock: () => number): Jar & { take(cookie: SetCookie): void } {
  const kept = new Map<string, KeptCookie>()
  const living = () => [...kept].filter(([, { untilMs }]) => untilMs > clock())
  return {
    get: (name) => living().find(([one]) => one === name)?.[1].value,
    set: (name, value) => void kept.set(name, { value, untilMs: Number.POSITIVE_INFINITY }),
    delete: (name) => void kept.delete(name),
    names: () => living().map(([name]) => name),
    header: () =>
      living()
        .map(([name, { value }]) => `${name}=${value}`)
        .join('; '),
    take(cookie) {
      const fault = faultOf(cookie)
      if (fault) throw new Error(`the cookie ${cookie.name} ${fault}`)
      const seconds = secondsOf(cookie)
      if (seconds <= 0) kept.delete(cookie.name)
      else kept.set(cookie.name, { value: cookie.value, untilMs: clock() + seconds * 1000 })
    }
  }
}

/**
 * Returns what is wrong with a cookie: browsers drop some of these, and others are less restricted than they must be.
 */
export function faultOf({ name, value, attributes }: SetCookie): string | undefined {
  if (!/^__Host-grantd-(session|code|visitor|ask-[\w-]{22})$/.test(name)) return 'is of none of the four kinds'
  if (!/^[\w.-]*$/.test(value)) return 'has a value that needs quoting'
  if (name.length + value.length > 4096) return 'is larger than browsers keep'
  if (!attributes.has('secure')) return 'is not Secure'
  if (!attributes.has('httponly')) return 'is not HttpOnly'
  if (attributes.has('domain')) return 'has a Domain'
  if (attributes.get('path') !== '/') return 'is not for the Path /'
  if (attributes.get('samesite') !== 'Lax') return 'is not SameSite=Lax'
  const seconds = secondsOf({ name, value, attributes })
  if (Number.isNaN(seconds)) return 'has no end'
  if (seconds > LONGEST_COOKIE_SECONDS) return 'lasts more than twelve hours'
  if (seconds > 0 === (value === '')) return 'has no value, or one that is over'
  return undefined
}

/**
 * Returns how long a cookie lasts. Max-Age takes precedence (RFC 6265 §5.3), and an expiry in the past clears the
 * cookie.
 */
function secondsOf({ attributes }: SetCookie): number {
  const [maxAge, expires] = [attributes.get('max-age'), attributes.get('expires')]
  if (maxAge !== undefined) return /^-?\d+$/.test(maxAge) ? Number(maxAge) : Number.NaN
  return expires === undefined ? Number.NaN : (Date.parse(expires) - Date.now()) / 1000
}

function readSetCookie(header: string): SetCookie {
  const [pair = '', ...rest] = header.split(/; ?/)
  const split = (text: string): [string, string] => {
    const at = text.indexOf('=')
    return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
  }
  const [name, value] = split(pair)
  const attributes = rest.map(split).map(([key, value]): [string, string] => [key.toLowerCase(), value])
  return { name, value, attributes: new Map(attributes) }
}

/** Returns the hidden fields of a form by its action. */
function formOf(html: string, action: string): Record<string, string> | undefined {
  for (const [, tag = '', inside = ''] of html.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)) {
    if (attributeOf(tag, 'action') === action) return hiddenFields(inside)
  }
  return undefined
}

function tokenOf(html: string): Record<string, string> | undefined {
  const { csrf } = hiddenFields(html)
  return csrf === undefined ? undefined : { csrf }
}

function hiddenFields(html: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [tag] of html.matchAll(/<input type="hidden"[^>]*>/g)) {
    fields[attributeOf(tag, 'name') ?? ''] = attributeOf(tag, 'value') ?? ''
  }
  return fields
}

function attributeOf(tag: string, name: string): string | undefined {
  const found = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1]
  return found === undefined ? undefined : decode(found)
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
const decode = (text: string) => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ENTITIES[name] ?? '')

/** Returns the text between the tags, as a user reads it. */
export function textOf(html: string): string {
  // A code inside a sentence has no space around it but those of the sentence.
  const whole = html.replace(/<span class="whole">([^<]*)<\/span>/g, '$1')
  return decode(whole.replace(/<(?:"[^"]*"|[^">])*>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim()
}
