/** What every refusal of this service looks like: one key with a sentence, as JSON, never to be kept or guessed at. */
import type { Test } from 'tap'
import type { Answer } from '../support/app.js'

/** Checks a refusal: its status, the contract's shape and sentence, and the headers of the surface. */
export function refused(t: Test, answer: Answer, status: number, sentence?: string | RegExp, about = ''): void {
  const title = about === '' ? `${status}` : `${status} ${about}`
  t.equal(answer.status, status, title)
  const { error } = answer.body ?? {}
  t.strictSame([Object.keys(answer.body ?? {}), typeof error], [['error'], 'string'], `${title}: {"error": string}`)
  if (typeof sentence === 'string') t.equal(error, sentence, title)
  if (sentence instanceof RegExp) t.match(error, sentence, title)
  apiHeaders(t, answer, title)
}

/** Checks what all answers of the dashboard API carry. */
export function apiHeaders(t: Test, { headers }: Pick<Answer, 'headers'>, title = 'headers'): void {
  t.strictSame(
    [headers['content-type'], headers['cache-control'], headers['x-content-type-options']],
    ['application/json; charset=utf-8', 'no-store', 'nosniff'],
    `${title}: JSON, not kept, not sniffed`
  )
  t.match(headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/, `${title}: an id of its own`)
}
