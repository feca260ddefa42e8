import type { FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'

/** Refuses a query with a parameter that the operation does not have: a filter that is misspelt would show, or end, more than was asked for. */
export async function refuseUnknownParameters({ query, routeOptions }: FastifyRequest): Promise<void> {
  const { properties = {} } = (routeOptions.schema?.querystring ?? {}) as { properties?: object }
  if (Object.keys(query as object).every((name) => Object.hasOwn(properties, name))) return
  const known = Object.keys(properties).join(', ')
  throw fault('invalid_request', {
    hint: known ? `The query may have ${known} and nothing else` : 'The query must be empty'
  })
}
