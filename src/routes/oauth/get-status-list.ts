import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { fault } from '../../core/fault.js'
import { STATUS_LIST_TTL_SECONDS } from '../../core/tokens/status-list-token.js'
import type { App } from '../app.js'
import { isHeldBy } from '../if-none-match.js'

export const STATUS_LIST_TYPE = 'application/statuslist+jwt'

/** The number of a list. */
const LIST = /^(?:0|[1-9]\d{0,8})$/

const CACHE_CONTROL = `public, max-age=${STATUS_LIST_TTL_SECONDS}`

/** GET /oauth/status-lists/{list}: a Token Status List, where TOKEN_STATUS_LIST is on. There is no other form than the JWT. */
export function getStatusList(app: App): void {
  const { statusLists } = app.core
  app.route({
    ...oauthOperations.getStatusList,
    handler: async (request, reply) => {
      const { list } = request.params
      const found = LIST.test(list) ? await statusLists?.get(Number(list)) : undefined
      if (!found) throw fault('not_found')
      // Resource servers ask all the time, so an answer is no news for the log.
      reply.isRoutine = true
      reply.type(STATUS_LIST_TYPE)
      reply.header('cache-control', CACHE_CONTROL).header('etag', found.etag)
      if (isHeldBy(request, found.etag)) return reply.code(304).send(null)
      return reply.send(found.jwt)
    }
  })
}
