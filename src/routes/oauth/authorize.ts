import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

/** GET /oauth/authorize (RFC 6749 §3.1): refuses, and says where to go instead. */
export function authorize(app: App): void {
  app.route({
    ...oauthOperations.authorize,
    handler: async () => {
      throw fault('unsupported_response_type')
    }
  })
}
