import { type PageParts, seeOther } from './page.js'
import { sessionOf, visitOf } from './visit.js'

/** POST /device/undo: takes back what was approved in this browser last. */
export function undoApproval({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/device/undo',
    onRequest: [app.limits.perAddress('approve'), visits.requireSession('device'), app.limits.perUser('approve')],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const entered = cookies.enteredCode.read(request)
      if (entered?.result !== 'approved' || entered.decidedBy !== sessionOf(request).userId) {
        return seeOther(reply, visit, '/device/done')
      }
      const outcome = await app.core.grants.undo(entered.userCode, sessionOf(request).userId)
      // Too late for that way; the program is in the list, where it can be revoked.
      if (outcome.kind === 'unknown') return seeOther(reply, visit, '/account/clients')
      app.metrics.countRevocation('owner')
      cookies.enteredCode.set(reply, { ...entered, result: 'undone' })
      return seeOther(reply, visit, '/device/done')
    }
  })
}
