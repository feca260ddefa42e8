import { sendConsent, sendWithdrawn } from './consent-page.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm } from './views/code-form.js'
import { userIdOf, visitOf } from './visit.js'

/** GET /device/confirm: the consent page, with the client, the scopes and the requester's location. */
export function showConsent({ app, visits, codes }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/device/confirm',
    onRequest: [visits.requireFreshSession('consent'), app.limits.perUser('peek', userIdOf)],
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const entered = codes.read(request)
      // A code from a link must be submitted with the form first, so that the user compares it. After a decision the back
      // button leads here, where nothing is left to decide.
      if (!entered || (entered.linked && !entered.isEntered) || entered.result) return seeOther(reply, visit, '/device')
      const { userCode, linked, isEntered } = entered
      const peek = () => app.core.grants.peek(userCode)
      // The first lookup of a code that was typed before signing in counts as a guess.
      const outcome = isEntered ? await peek() : await app.limits.guess(request, userIdOf(request), peek)
      if (outcome.kind === 'withdrawn' && isEntered) return sendWithdrawn(codes, request, reply)
      if (outcome.kind !== 'pending' || !outcome.client) {
        codes.forget(reply)
        return sendPage(reply.code(400), CodeForm, { visit, isInvalid: true })
      }
      if (!isEntered) codes.keep(request, reply, { userCode, linked, isEntered: true })
      return sendConsent(app, request, reply, { userCode, linked, grant: outcome, client: outcome.client })
    }
  })
}
