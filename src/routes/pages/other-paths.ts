/** Paths that lead nowhere. People stray there, so a page says so; programs get what their API answers. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fault } from '../../core/fault.js'
import { basePathOf } from '../app.js'
import { answerNowhere, isOfAnApi, whyNowhere } from '../unroutable.js'
import type { PageParts } from './page.js'
import type { Visits } from './visit.js'

/** Paths below a page that lead nowhere: a page for everybody, since no program has a reason to be there. */
export function refuseUnknown({ app }: PageParts): void {
  for (const url of ['/account', '/account/*', '/device/*', '/login/*', '/logout/*']) {
    app.get(url, async () => {
      throw fault('not_found')
    })
  }
}

/** All other paths without a route: a page for browsers, unless the path is one of an API, and JSON for everybody else. */
export function answerStrays(app: FastifyInstance, visits: Visits): void {
  const base = basePathOf(app.config.publicUrl)
  const begin = app.limitTime(visits.begin)

  app.setNotFoundHandler(async (request, reply) => {
    // A file that the documentation has not is handed on by @fastify/static, whose requests no page can answer.
    const isOfPages = 'visit' in request
    if (!isOfPages || isOfAnApi(request.url, base) || !prefersPage(request)) return answerNowhere(request, reply)
    // No hook of the pages runs for a request without a route.
    await reply.helmet()
    await begin(request)
    throw whyNowhere(request)
  })
}

/** Whether somebody looks at the answer: browsers put text/html first, programs name JSON or take anything. */
function prefersPage(request: FastifyRequest): boolean {
  return request.accepts().type(['json', 'html']) === 'html'
}
