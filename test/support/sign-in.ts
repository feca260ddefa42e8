/** Signing in and connecting as a person does, without a browser: redirects are followed and the provider's page is filled in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Attempt } from '../../src/core/upstream/upstream-client.js'
import type { ConnectOutcome, SignInOutcome } from '../../src/core/users/sign-in.js'

/** A file for PROVIDERS_FILE that goes with the test. */
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
 * Visits a provider as the person of this name, until it sends the browser back to `publicUrl`, and answers with that URL.
 * A person who refuses presses the other button.
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

/** A visit that has been made: the query that the browser was sent back with, and what was remembered for it. */
export interface Visit {
  query: string
  attempt: Attempt
}

export interface VisitOptions {
  reauthenticates?: boolean
  action?: 'allow' | 'refuse'
}

/** Begins a sign-in and visits the provider; what it sent back is not redeemed yet. */
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

/** Signs a person in at a provider, all the way. */
export async function signInAt(
  app: FastifyInstance,
  providerId: string,
  login: string,
  options: VisitOptions = {}
): Promise<SignInOutcome> {
  const { query, attempt } = await beginAt(app, providerId, login, options)
  return app.core.signIn.finish(providerId, query, attempt)
}

/** Connects a person's account at a provider to a user. */
export async function connectAt(
  app: FastifyInstance,
  providerId: string,
  login: string,
  userId: string
): Promise<ConnectOutcome> {
  const { query, attempt } = await beginAt(app, providerId, login)
  return app.core.signIn.finishConnecting(providerId, query, attempt, userId)
}
