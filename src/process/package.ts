/** What this process was started from: the package's version, and whether it is a checkout of the repository. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

// The package finds itself by its name (`exports` offers its package.json), from its sources and from what is built of them.
const require = createRequire(import.meta.url)
const MANIFEST = 'grantd/package.json'

export const { version } = require(MANIFEST) as { version: string }

/** Whether `npm run demo` is there: the examples are no part of the package that is installed. */
export function isCheckout(): boolean {
  return existsSync(join(dirname(require.resolve(MANIFEST)), 'examples/terminal-client'))
}
