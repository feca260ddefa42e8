import { sendConsent } from './consent-page.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { userIdOf, visitOf } from './visit.js'

/** GET /device/confirm: who asks, for what and from where, and the question. */
export function showConsent({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/device/confirm',
    onRequest: [visits.requireFreshSession('consent'), app.limits.perUser('peek', userIdOf)],
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const entered = cookies.enteredCode.read(request)
      // A code of a link has to be sent by its form first, since looking it up counts as a guess. After a decision the back
      // button leads here again, with nothing to decide.
      if (!entered?.isEntered || entered.result) return seeOther(reply, visit, '/device')
      const { userCode, linked } = entered
      const outcome = await app.core.grants.peek(userCode)
      if (outcome.kind !== 'pending' || !outcome.client) {
        cookies.enteredCode.clear(reply)
        return sendPage(reply.code(400), CodeForm, { visit, isInvalid: true })
      }
      return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client: outcome.client })
    }
  })
}
