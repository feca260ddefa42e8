/** The product's poll script, for benches that run it without the service. */
import { loadScripts } from '../../src/storage/redis/scripts.js'

export const POLL_SCRIPT = loadScripts()['grant-poll'].lua
