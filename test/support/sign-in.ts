/** Signs in and connects as a user does, without a browser: follows redirects and fills in the page of the upstream. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Attempt } from '../../src/core/upstream/sign-in-attempt.js'
import type { ConnectOutcome, SignInOutcome } from '../../src/core/users/sign-in.js'
import { BY } from './audit.js'

/** Writes a file for PROVIDERS_FILE, which the test removes. */
export function providersFile(t: Pick<Test, 'teardown'>, providers: readonly object[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-providers-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'providers.json')
  writeFileSync(file, JSON.stringify({ providers }))
  return file
}

interface Cookie {
  name: string
  value: string
  path: string
}

/**
 * Visits an upstream as the user of this name until it redirects to `publicUrl`. Returns that URL. Any `action` but
 * `allow` presses the other button and refuses.
 */
export async function visitProvider(start: URL, publicUrl: string, login: string, action = 'allow'): Promise<URL> {
  let cookies: Cookie[] = []
  let url = start
  let form: URLSearchParams | undefined
  for (let steps = 0; steps < 20; steps++) {
    const sent = cookies.filter(({ path }) => url.pathname.startsWith(path))
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie: sent.map(({ name, value }) => `${name}=${value}`).join('; ') },
      ...(form && { body: form })
    })
    const page = await answer.text()
    for (const cookie of answer.headers.getSetCookie().map(readCookie)) {
      cookies = cookies.filter(({ name, path }) => name !== cookie.name || path !== cookie.path)
      if (cookie.value !== '') cookies.push(cookie)
    }
    const location = answer.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      if (url.href.startsWith(publicUrl)) return url
      form = undefined
    } else if (form === undefined && page.includes('<form')) {
      form = new URLSearchParams({ login, action })
    } else {
      throw new Error(`the provider does not go on: ${answer.status} ${page.slice(0, 500)}`)
    }
  }
  throw new Error('the provider goes round in circles')
}

function readCookie(header: string): Cookie {
  const [pair = '', ...attributes] = header.split(/; ?/)
  const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice('path='.length) ?? '/'
  return { name: pair.slice(0, pair.indexOf('=')), value: pair.slice(pair.indexOf('=') + 1), path }
}

/** A finished visit to an upstream: the query of the redirect back, and what the browser remembers for it. */
export interface Visit {
  query: string
  attempt: Attempt
}

export interface VisitOptions {
  reauthenticates?: boolean
  action?: 'allow' | 'refuse'
}

/** Begins a sign-in and visits the upstream. The returned answer is not redeemed yet. */
export async function beginAt(
  app: FastifyInstance,
  providerId: string,
  login: string,
  { reauthenticates = false, action = 'allow' }: VisitOptions = {}
): Promise<Visit> {
  const { url, attempt } = await app.core.signIn.begin(providerId, { reauthenticates })
  const callback = await visitProvider(url, app.config.publicUrl, login, action)
  return { query: callback.search.slice(1), attempt }
}

/** Signs a user in at an upstream. */
export async function signInAt(
  app: FastifyInstance,
  providerId: string,
  login: string,
  options: VisitOptions = {}
): Promise<SignInOutcome> {
  const { query, attempt } = await beginAt(app, providerId, login, options)
  return app.core.signIn.finish(providerId, query, attempt, BY)
}

/** Connects an account at an upstream to a user. */
export async function connectAt(
  app: FastifyInstance,
  providerId: string,
  login: string,
  userId: string
): Promise<ConnectOutcome> {
  const { query, attempt } = await beginAt(app, providerId, login)
  return app.core.signIn.finishConnecting(providerId, query, attempt, userId, BY)
}
