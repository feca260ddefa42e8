/** How JSON is read: with nothing in it that no store could keep as it is, or that would reach into an object's prototype. */
import type { FastifyInstance } from 'fastify'
import { fault } from '../core/fault.js'
import { readBodyText } from './body-text.js'

/** JSON in UTF-8 can hold half of a surrogate pair only as an escape. */
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/

/**
 * Lets the routes of this instance read JSON, and removes every other content type. With `namesOnce` a parameter that is there
 * twice is refused, where otherwise the last one counts.
 */
export function acceptJsonBodies(app: FastifyInstance, { namesOnce = false } = {}): void {
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
    // A body that comes in chunks of which there is none.
    if (text === '') {
      done(null, undefined)
      return
    }
    parse(request, text, (error, value) => {
      if (!error && ESCAPED_SURROGATE.test(text) && !isWellFormed(value)) {
        done(fault('invalid_request', { hint: 'The body holds half a character' }))
      } else if (!error && namesOnce && repeatsName(text)) {
        done(fault('invalid_request', { hint: 'A parameter is there more than once' }))
      } else done(error, value)
    })
  })
}

/** Whether the object at the top has a name twice. Names of inner objects are no parameters. */
function repeatsName(json: string): boolean {
  const names = new Set<string>()
  let depth = 0
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth += 1
    else if (token === '}' || token === ']') depth -= 1
    else if (depth === 1 && colon !== undefined && text !== undefined) {
      const name = JSON.parse(text) as string
      if (names.has(name)) return true
      names.add(name)
    }
  }
  return false
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return !/\p{Surrogate}/u.test(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, inner]) => isWellFormed(name) && isWellFormed(inner))
}
