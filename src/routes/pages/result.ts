/** The result page of the decision that was made last in this browser, and undoing an approval. */
import { createAwaitCollection } from './await-collection.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { DecisionResult } from './views/decision-result.js'
import { byOf, userIdOf, visitOf } from './visit.js'

/** GET /device/done: tells the user who decided the result, and whether the client has collected an approval. */
export function showResult({ app, visits, codes, awaitsCollection }: PageParts): void {
  const awaitCollection = createAwaitCollection(app, awaitsCollection)

  app.route({
    method: 'GET',
    url: '/device/done',
    // The page waits for the client and limits its own reads of Redis.
    config: { waitsForOthers: true },
    onRequest: visits.requireSession('device'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const userId = userIdOf(request)
      const { result, authorizedClientId } = codes.read(request) ?? {}
      if (!result) return seeOther(reply, visit, '/device')
      if (result !== 'approved') return sendPage(reply, DecisionResult, { visit, result })
      // After a repeated decision the id may be unknown; then the page does not mention the collection.
      const standing = authorizedClientId
        ? await awaitCollection(request, reply, { userId, authorizationId: authorizedClientId })
        : 'awaited'
      if (standing === 'lapsed') return sendPage(reply, DecisionResult, { visit, result: 'lapsed' })
      if (standing === 'ended') return sendPage(reply, DecisionResult, { visit, result: 'undone' })
      return sendPage(reply, DecisionResult, { visit, result, isCollected: standing === 'active' })
    }
  })
}

/** POST /device/undo: undoes the approval. */
export function undoApproval({ app, visits, codes }: PageParts): void {
  const limitUser = app.limits.perUser('approve', userIdOf)

  app.route({
    method: 'POST',
    url: '/device/undo',
    onRequest: [app.limits.perAddress('approve'), visits.requireSession('device'), limitUser],
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const entered = codes.read(request)
      if (entered?.result !== 'approved') return seeOther(reply, visit, '/device/done')
      const outcome = await app.core.grants.undo(entered.userCode, userIdOf(request), byOf(app, request))
      // The grant is forgotten; if it was collected, its authorization can be revoked in the list.
      if (outcome.kind === 'unknown') return seeOther(reply, visit, '/account/clients')
      codes.keep(request, reply, { ...entered, result: 'undone' })
      return seeOther(reply, visit, '/device/done')
    }
  })
}
