import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'
import { userinfoRoute } from './userinfo.js'

/** POST /oauth/userinfo: who the user is. */
export function postUserinfo(app: App): void {
  app.route({ ...oauthOperations.postUserinfo, ...userinfoRoute(app) })
}
