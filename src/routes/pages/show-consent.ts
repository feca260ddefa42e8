import { formatUserCode, readUserCode } from '../../grants/user-code.js'
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
      // Also after a decision, by the back button: there is nothing to decide any more.
      if (!entered || entered.result) return seeOther(reply, visit, '/device')
      const { linked } = entered
      // A link's code has not been looked up yet: this may be a guess.
      const outcome = await app.limits.guess(request, () => app.grants.peek(entered.userCode))
      const client = outcome.kind === 'pending' ? app.oauthClients.find(outcome.request.clientId) : undefined
      if (outcome.kind !== 'pending' || !client) {
        cookies.enteredCode.clear(reply)
        return sendPage(reply.code(400), CodeForm, { visit, isInvalid: true })
      }
      const userCode = formatUserCode(readUserCode(entered.userCode) ?? '')
      return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client })
    }
  })
}
