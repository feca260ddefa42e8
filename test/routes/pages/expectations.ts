/** What every answer of the pages has in common, whether the request succeeded or not. */
import type { Test } from 'tap'
import { en } from '../../../src/routes/pages/texts/en.js'
import type { Page } from '../../support/visitor.js'

export const POLICY =
  "default-src 'none';style-src 'self';img-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'"

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store'
}

/** Checks the headers of every answer of the pages. */
export function pageHeaders(t: Test, { headers }: Pick<Page, 'headers'>, title = 'headers'): void {
  const carried = Object.fromEntries(Object.keys(HEADERS).map((name) => [name, headers[name]]))
  t.strictSame(carried, HEADERS, `${title}: nothing runs, frames, tells or keeps it`)
  const cors = Object.keys(headers).filter((name) => name.startsWith('access-control-'))
  t.strictSame(cors, [], `${title}: no other origin may read it`)
  t.match(headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/, `${title}: an id of its own`)
}

/** Checks a page: its status, its title and sentences on it. */
export function shows(t: Test, page: Page, status: number, title: string, ...sentences: string[]): void {
  const about = `${status} ${title}`
  t.strictSame([page.status, page.headers['content-type']], [status, 'text/html; charset=utf-8'], about)
  t.match(page.body, /^<!doctype html><html lang="[a-z]{2}">.*<\/html>$/s, `${about}: a whole page`)
  t.ok(page.body.includes(`<h1>${title}</h1>`), `${about}: the heading`)
  const missing = sentences.filter((sentence) => !page.text.includes(sentence))
  t.strictSame(missing, [], `${about}: nothing is missing`, { text: page.text })
  pageHeaders(t, page, about)
}

/** Checks an answer that redirects the browser and has no other content. */
export function goesTo(t: Test, page: Page, path: string, about = ''): void {
  const title = `303 ${about === '' ? path : about}`
  t.strictSame([page.status, page.location, page.body], [303, path, ''], title)
  pageHeaders(t, page, title)
}

type Refusal = 'badRequest' | 'form' | 'lostCookies' | 'notFound' | 'method' | 'unavailable' | 'internal'

/** Checks a friendly error page, and that it repeats nothing of the request. */
export function refused(t: Test, page: Page, status: number, why: Refusal): void {
  shows(t, page, status, en.error.title, en.error[why])
  const reference = en.error.reference(String(page.headers['x-request-id']))
  t.equal(page.text.includes(reference), status >= 500, `${status}: a reference for what is our fault alone`)
}

/** Returns the English text for a Retry-After, in minutes if it is more than one. */
function whenAfter(seconds: number): string {
  const [amount, unit] = seconds <= 60 ? [seconds, 'second'] : [Math.ceil(seconds / 60), 'minute']
  return `in ${amount} ${unit}${amount === 1 ? '' : 's'}`
}

/** Checks the page of a user who has asked too often. */
export function limited(t: Test, page: Page, retryAfter: number): void {
  shows(t, page, 429, en.error.title, en.error.tooMany(whenAfter(retryAfter)))
  t.equal(page.headers['retry-after'], `${retryAfter}`, '429: Retry-After')
}

/** Checks the page for an invalid code, which is the same for every reason. */
export function invalidCode(t: Test, page: Page, about = ''): void {
  shows(t, page, 400, en.device.title, en.device.invalid)
  t.match(page.body, /<input class="code" name="user_code" required/, `400 ${about}: an empty form`)
}

/** Returns the HTML without the tokens that differ each time. */
export const masked = ({ body }: Page) =>
  body.replace(/(name="csrf" value=")[\w-]+"/g, '$1…"').replace(/(name="ticket" value=")[\w.-]+"/g, '$1…"')
