import { type PageParts, seeOther, sendPage } from './page.js'
import { DecisionResult } from './views/decision-result.js'
import { sessionOf, visitOf } from './visit.js'

/** GET /device/done: what became of the request this browser decided last. */
export function showResult({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/device/done',
    onRequest: visits.requireSession('device'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const { result, decidedBy } = cookies.enteredCode.read(request) ?? {}
      const isTheirs = decidedBy === sessionOf(request).userId
      return result && isTheirs ? sendPage(reply, DecisionResult, { visit, result }) : seeOther(reply, visit, '/device')
    }
  })
}
