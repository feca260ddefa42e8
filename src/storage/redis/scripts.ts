/**
 * The Lua scripts, read once and defined on a connection: EVALSHA, and EVAL where the server has forgotten one.
 * All but the one that starts a grant are allowed when memory is full: what is there must go on, and above all be revoked.
 */
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

const NUMBER_OF_KEYS = {
  'grant-create': 1,
  'grant-poll': 1,
  'grant-find': 1,
  'grant-decide': 1,
  'grant-collect': 1,
  'record-create': 2,
  'record-change': 2,
  'record-delete': 2,
  'limit-hit': 1,
  'limit-take': 1,
  'signing-keys-succeed': 1
} as const

export type ScriptName = keyof typeof NUMBER_OF_KEYS

/** Runs a script; what it returns is described in its file. */
export type RunScript = (name: ScriptName, ...keysThenArgs: (string | number)[]) => Promise<unknown>

type Command = (...keysThenArgs: (string | number)[]) => Promise<unknown>

export function defineScripts(redis: Redis): RunScript {
  const commands = {} as Record<ScriptName, Command>
  for (const [name, numberOfKeys] of Object.entries(NUMBER_OF_KEYS) as [ScriptName, number][]) {
    const lua = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
    redis.defineCommand(name, { numberOfKeys, lua })
    commands[name] = (redis as unknown as Record<ScriptName, Command>)[name].bind(redis)
  }
  return (name, ...keysThenArgs) => commands[name](...keysThenArgs)
}
