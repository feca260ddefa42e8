/**
 * The Lua scripts, read once, as EVALSHA and EVAL want them.
 * All but the one that starts a grant are allowed when memory is full: what is there must go on, and above all be revoked.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const NUMBER_OF_KEYS = {
  'grant-create': 1,
  'grant-poll': 1,
  'grant-find': 1,
  'grant-decide': 1,
  'grant-collect': 1,
  'record-create': 2,
  'record-change': 2,
  'record-delete': 2,
  'refresh-begin': 1,
  'refresh-rotate': 1,
  'limit-hit': 1,
  'limit-take': 1,
  'lock-acquire': 1,
  'lock-release': 1,
  'signing-keys-succeed': 1,
  'replica-fence': 1
} as const

export type ScriptName = keyof typeof NUMBER_OF_KEYS

export interface Script {
  readonly lua: string
  /** What Redis calls it by, once it has seen it. */
  readonly sha: string
  readonly numberOfKeys: number
}

export function loadScripts(): Readonly<Record<ScriptName, Script>> {
  const scripts = Object.entries(NUMBER_OF_KEYS).map(([name, numberOfKeys]) => {
    const lua = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
    return [name, { lua, sha: createHash('sha1').update(lua).digest('hex'), numberOfKeys }]
  })
  return Object.fromEntries(scripts) as Record<ScriptName, Script>
}
