/** The product's own poll script, for whoever runs it without the product. */
import { loadScripts } from '../../src/storage/redis/scripts.js'

export const POLL_SCRIPT = loadScripts()['grant-poll'].lua
