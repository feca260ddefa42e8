import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'
import { userinfoRoute } from './userinfo.js'

/** GET /oauth/userinfo: who the user is. */
export function getUserinfo(app: App): void {
  app.route({ ...oauthOperations.getUserinfo, ...userinfoRoute(app) })
}
