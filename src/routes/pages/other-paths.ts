/** Unknown paths: browsers get a page, programs get the answer of their API. */
import type { FastifyInstance } from 'fastify'
import { fault } from '../../core/fault.js'
import { answerNowhere, isStrayProgram, whyNowhere } from '../unroutable.js'
import type { PageParts } from './page.js'
import type { Visits } from './visit.js'

/** Unknown paths below a page get a page whoever asks, because no program uses them. */
export function refuseUnknown({ app }: PageParts): void {
  for (const url of ['/account', '/account/*', '/device/*', '/login/*', '/logout/*']) {
    app.get(url, async () => {
      throw fault('not_found')
    })
  }
}

/** All other unknown paths get a page for browsers, unless the path belongs to an API, and otherwise JSON. */
export function answerStrays(app: FastifyInstance, visits: Visits): void {
  const begin = app.limitTime(visits.begin)

  app.setNotFoundHandler(async (request, reply) => {
    // @fastify/static hands on requests for missing files of the documentation; they lack the decorators that pages need.
    const isOfPages = 'visit' in request
    if (!isOfPages || isStrayProgram(request)) return answerNowhere(request, reply)
    // The hooks of the pages do not run for a request without a route.
    await begin(request)
    throw whyNowhere(request)
  })
}
