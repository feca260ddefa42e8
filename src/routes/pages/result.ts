/** What became of the grant that was decided in this browser last, and taking an approval back. */
import { type PageParts, seeOther, sendPage } from './page.js'
import { DecisionResult } from './views/decision-result.js'
import { userIdOf, visitOf } from './visit.js'

/** GET /device/done: says what became of it, to the user who decided. */
export function showResult({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/device/done',
    onRequest: visits.requireSession('device'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const { result, decidedBy } = cookies.enteredCode.read(request) ?? {}
      const isTheirs = decidedBy === userIdOf(request)
      return result && isTheirs ? sendPage(reply, DecisionResult, { visit, result }) : seeOther(reply, visit, '/device')
    }
  })
}

/** POST /device/undo: takes the approval back. */
export function undoApproval({ app, cookies, visits }: PageParts): void {
  const limitUser = app.limits.perUser('approve', userIdOf)

  app.route({
    method: 'POST',
    url: '/device/undo',
    onRequest: [app.limits.perAddress('approve'), visits.requireSession('device'), limitUser],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const entered = cookies.enteredCode.read(request)
      if (entered?.result !== 'approved' || entered.decidedBy !== userIdOf(request)) {
        return seeOther(reply, visit, '/device/done')
      }
      const outcome = await app.core.grants.undo(entered.userCode, userIdOf(request))
      // The grant is forgotten by now; its authorization is in the list, where it can be revoked.
      if (outcome.kind === 'unknown') return seeOther(reply, visit, '/account/clients')
      cookies.enteredCode.set(reply, { ...entered, result: 'undone' })
      return seeOther(reply, visit, '/device/done')
    }
  })
}
