/** What every refusal of this service looks like: JSON with a sentence, not cacheable, with a fixed content type. */
import type { Test } from 'tap'
import type { Answer } from '../support/app.js'

/** Checks a refusal: its status, the shape and sentence of the contract, and the headers of the surface. */
export function refused(t: Test, answer: Answer, status: number, sentence?: string | RegExp, about = ''): void {
  const title = about === '' ? `${status}` : `${status} ${about}`
  t.equal(answer.status, status, title)
  const { error } = answer.body ?? {}
  t.strictSame([Object.keys(answer.body ?? {}), typeof error], [['error'], 'string'], `${title}: {"error": string}`)
  if (typeof sentence === 'string') t.equal(error, sentence, title)
  if (sentence instanceof RegExp) t.match(error, sentence, title)
  apiHeaders(t, answer, title)
}

/** Checks the headers of every answer of the dashboard API. */
export function apiHeaders(t: Test, { headers }: Pick<Answer, 'headers'>, title = 'headers'): void {
  t.strictSame(
    [headers['content-type'], headers['cache-control'], headers['x-content-type-options']],
    ['application/json; charset=utf-8', 'no-store', 'nosniff'],
    `${title}: JSON, not kept, not sniffed`
  )
  t.match(headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/, `${title}: an id of its own`)
}

/** Checks the headers of every answer of the OAuth surface. `cacheControl` differs where an answer may be cached. */
export function oauthHeaders(
  t: Test,
  { headers, body }: Pick<Answer, 'headers' | 'body'>,
  title = 'headers',
  cacheControl = 'no-store'
): void {
  t.strictSame(
    [headers['content-type'], headers['cache-control'], headers['x-content-type-options']],
    ['application/json', cacheControl, 'nosniff'],
    `${title}: JSON and no parameter of it, kept or not, not sniffed`
  )
  t.equal(headers['content-length'], `${Buffer.byteLength(JSON.stringify(body))}`, `${title}: in one piece`)
  t.match(headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/, `${title}: an id of its own`)
}

/**
 * Checks a refusal of the OAuth surface: the status, the error, no further members, and the challenge if there is one.
 */
export function oauthRefused(t: Test, answer: Answer, status: number, error: string, challenge?: string): void {
  const { error: told, error_description: description, ...rest } = answer.body
  t.strictSame([answer.status, told, rest], [status, error, {}], `${status} ${error}`)
  t.ok(description === undefined || /^[^"\\]+\.$/.test(description), 'a sentence, or none')
  t.equal(answer.headers['www-authenticate'], challenge, `${status} ${error}: the challenge`)
  oauthHeaders(t, answer, `${status} ${error}`)
}
