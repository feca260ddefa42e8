import { sendConsent } from './consent-page.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { visitOf } from './visit.js'

/** GET /device/confirm: who asks, for what and from where, and the question. */
export function showConsent({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/device/confirm',
    onRequest: [visits.requireFreshSession('consent'), app.limits.perUser('peek')],
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const entered = cookies.enteredCode.read(request)
      // A link's code has to be sent first: looking it up is a guess, which nobody makes for somebody else. After a decision, by
      // the back button, there is nothing to decide any more.
      if (!entered?.isEntered || entered.result) return seeOther(reply, visit, '/device')
      const { userCode, linked } = entered
      const outcome = await app.core.grants.peek(userCode)
      const client = outcome.kind === 'pending' ? app.core.clients.find(outcome.request.clientId) : undefined
      if (outcome.kind !== 'pending' || !client) {
        cookies.enteredCode.clear(reply)
        return sendPage(reply.code(400), CodeForm, { visit, isInvalid: true })
      }
      return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client })
    }
  })
}
