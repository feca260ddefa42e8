/** The product's poll script, for benches that run it without the service. */
import { loadScripts } from '../../src/storage/redis/scripts.js'

export const POLL_SCRIPT = loadScripts()['grant-poll'].lua
/** Its second argument for a run that may come at any time. */
export const NEVER_LATE = Number.MAX_SAFE_INTEGER
