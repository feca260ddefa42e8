/** How JSON is read: with nothing in it that no store could keep as it is, or that would reach into an object's prototype. */
import type { FastifyInstance } from 'fastify'
import { fault } from '../fault.js'
import { readBodyText } from './body-text.js'

/** Only a text that escapes surrogates can hold half of a pair, which no store could keep as it is. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/

/** From here on JSON bodies are read, and no others: the framework's readers go. */
export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    let text: string
    try {
      text = readBodyText(request, body)
    } catch (error) {
      done(error as Error)
      return
    }
    parse(request, text, (error, value) => {
      const isBroken = !error && ESCAPED_SURROGATE.test(text) && !isWellFormed(value)
      done(isBroken ? fault('invalid_request', { hint: 'The body holds half a character' }) : error, value)
    })
  })
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return !/\p{Surrogate}/u.test(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, inner]) => isWellFormed(name) && isWellFormed(inner))
}
