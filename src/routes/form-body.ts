/** How forms are read (application/x-www-form-urlencoded): a text per parameter, a list for one that is repeated. */
import fastQuerystring from 'fast-querystring'
import type { FastifyInstance } from 'fastify'
import { fault } from '../core/fault.js'
import { readBodyText } from './body-text.js'

/** Caps the work of one form. No form of this service has a tenth of it. */
const MOST_PARAMETERS = 50

/** Lets the routes of this instance read forms beside what they read so far. */
export function acceptFormBodies(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      try {
        const text = readBodyText(request, body)
        if (hasTooMany(text)) {
          throw fault('invalid_request', { hint: `There are more than ${MOST_PARAMETERS} parameters` })
        }
        done(null, fastQuerystring.parse(text))
      } catch (error) {
        done(error as Error)
      }
    }
  )
}

function hasTooMany(text: string): boolean {
  let count = 1
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) count += 1
  return count > MOST_PARAMETERS
}

/** Those of a form's parameters that are wanted, written as they came. */
export function writeForm(
  parameters: Readonly<Record<string, string | readonly string[] | undefined>>,
  isWanted: (name: string) => boolean
): string {
  const wanted = Object.entries(parameters).filter(([name]) => isWanted(name))
  const pairs = wanted.flatMap(([name, value = []]) => [value].flat().map((text): [string, string] => [name, text]))
  return new URLSearchParams(pairs).toString()
}
