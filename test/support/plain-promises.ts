/**
 * Loaded before each test file (.taprc). tap follows every promise, to know in which test something was thrown that nobody caught. A file
 * that waits much for Redis takes a sixth longer then. Without it such an error fails the file all the same, in the name of the file.
 */
import asyncHooks from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'

const { createHook } = asyncHooks
const replaceHooks = (create: typeof createHook) => {
  asyncHooks.createHook = create
  syncBuiltinESMExports()
}
const none = { enable: () => none, disable: () => none }

replaceHooks(() => none)
await import('tap')
replaceHooks(createHook)
