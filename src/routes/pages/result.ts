/** What became of the grant that was decided in this browser last, and taking an approval back. */
import { createAwaitCollection } from './await-collection.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { DecisionResult } from './views/decision-result.js'
import { userIdOf, visitOf } from './visit.js'

/** GET /device/done: says what became of it, to the user who decided, and whether the device has collected an approval. */
export function showResult({ app, visits, codes, awaitsCollection }: PageParts): void {
  const awaitCollection = createAwaitCollection(app, awaitsCollection)

  app.route({
    method: 'GET',
    url: '/device/done',
    // It waits for the device, and limits what it asks Redis in that time by itself.
    config: { waitsForOthers: true },
    onRequest: visits.requireSession('device'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const userId = userIdOf(request)
      const { result, authorizedClientId } = codes.read(request) ?? {}
      if (!result) return seeOther(reply, visit, '/device')
      if (result !== 'approved') return sendPage(reply, DecisionResult, { visit, result })
      // Where the id is not known, because the decision was sent twice, the page says what is true in any case.
      const standing = authorizedClientId
        ? await awaitCollection(request, reply, { userId, authorizationId: authorizedClientId })
        : 'none'
      if (standing === 'ended') return sendPage(reply, DecisionResult, { visit, result: 'undone' })
      return sendPage(reply, DecisionResult, { visit, result, isCollected: standing === 'active' })
    }
  })
}

/** POST /device/undo: takes the approval back. */
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
      const outcome = await app.core.grants.undo(entered.userCode, userIdOf(request))
      // The grant is forgotten by now; if it was collected, its authorization is in the list, where it can be revoked.
      if (outcome.kind === 'unknown') return seeOther(reply, visit, '/account/clients')
      codes.keep(request, reply, { ...entered, result: 'undone' })
      return seeOther(reply, visit, '/device/done')
    }
  })
}
