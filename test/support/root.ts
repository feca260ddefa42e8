/** Where the checkout is. Tests run as they are written and as they are built, from different depths of it. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The folder of the checkout, without a slash at its end. */
export const root = dirname(createRequire(import.meta.url).resolve('grantd/package.json'))

/** The path of one of its files, or of a folder. */
export const inRoot = (path: string) => join(root, path)

/** The environment of a server that is looked for on PATH, where some systems do not have the folder that Debian puts servers in. */
export const serverEnv = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${process.env.PATH}:/usr/sbin` })
