/**
 * The Lua scripts, read once and prepared for EVALSHA and EVAL. Each is its file in scripts/, with the statements of
 * scripts/prologue.lua and the limits of the rules that it names inserted below its first line.
 * Every script but the one that starts a grant may run when memory is full, because existing grants must go on and
 * revocation must work.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { LASTS_LONGER_MS } from '../../core/authorizations/revocation-store.js'
import {
  COLLECT_AGAIN_MS,
  GRACE_DIVISOR,
  LONGEST_INTERVAL_MS,
  REPEAT_WITHIN_MS,
  RETENTION_MS,
  SHORTEST_GRACE_MS,
  SLOW_DOWN_STEP_MS,
  TTL_SLACK_MS
} from '../../core/grants/state-machine.js'
import { REMEMBERED, REPLAY_GRACE_MS } from '../../core/tokens/refresh-family.js'

const NUMBER_OF_KEYS = {
  'grant-create': 1,
  'grant-poll': 1,
  'grant-find': 1,
  'grant-decide': 1,
  'grant-withdraw': 1,
  'grant-collect': 1,
  'grant-redeem': 1,
  'record-create': 2,
  'record-change': 2,
  'record-delete': 2,
  'record-page': 1,
  // For one record; `runDurablyOver` in connection.ts takes any number of them.
  'record-end': 2,
  'revocation-announce': 5,
  'revocation-page': 3,
  'revocation-sweep': 4,
  'status-index-take': 2,
  'refresh-begin': 1,
  'refresh-rotate': 1,
  'events-add': 2,
  'events-search': 1,
  'limit-take': 1,
  // For one record and a window; `runOver` in connection.ts takes any number of keys.
  'read-and-hit': 2,
  'lock-acquire': 1,
  'lock-release': 1,
  'signing-keys-succeed': 1,
  'replica-fence': 1
} as const

export type ScriptName = keyof typeof NUMBER_OF_KEYS

export interface Script {
  readonly lua: string
  /** The SHA-1 by which Redis knows the script once it has seen it. */
  readonly sha: string
  readonly numberOfKeys: number
}

/** The limits for the scripts under their Lua names. The TypeScript rules are the only place that defines them. */
const LIMITS = {
  SLOW_DOWN_STEP_MS,
  LONGEST_INTERVAL_MS,
  GRACE_DIVISOR,
  SHORTEST_GRACE_MS,
  REPEAT_WITHIN_MS,
  RETENTION_MS,
  COLLECT_AGAIN_MS,
  TTL_SLACK_MS,
  REPLAY_GRACE_MS,
  REMEMBERED,
  LASTS_LONGER_MS
}

/** A statement of the prologue: `local` with names and values on one line, or a `local function` up to its `end`. */
const STATEMENT = /^local (?:function (\w+)\([\s\S]*?^end|([\w, ]+) = .+)$/gm

interface Statement {
  text: string
  names: string[]
}

export function loadScripts(): Readonly<Record<ScriptName, Script>> {
  const statements = [...limitStatements(), ...statementsOf(read('prologue'))]
  const scripts = Object.entries(NUMBER_OF_KEYS).map(([name, numberOfKeys]) => {
    const lua = withWhatItNames(read(name), statements)
    return [name, { lua, sha: createHash('sha1').update(lua).digest('hex'), numberOfKeys }]
  })
  return Object.fromEntries(scripts) as Record<ScriptName, Script>
}

function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}

function limitStatements(): Statement[] {
  return Object.entries(LIMITS).map(([name, value]) => ({ text: `local ${name} = ${value}`, names: [name] }))
}

function statementsOf(prologue: string): Statement[] {
  return [...prologue.matchAll(STATEMENT)].map(([text, name, names = name]) => ({
    text,
    names: (names as string).split(', ')
  }))
}

/**
 * Inserts only the statements that the script names: all of them would make a poll, the most frequent script, 3 % more
 * expensive for Redis, and replica-fence is sent as text each time. They go below the first line, which holds the flags
 * of the script. The last statement is examined first, so that the statements it names are inserted above it.
 */
function withWhatItNames(lua: string, statements: Statement[]): string {
  const firstLine = lua.slice(0, lua.indexOf('\n') + 1)
  const isNamed = (text: string) => (name: string) => new RegExp(`\\b${name}\\b`).test(text)
  const rest = statements.reduceRight(
    (below, { text, names }) => (names.some(isNamed(below)) ? `${text}\n${below}` : below),
    lua.slice(firstLine.length)
  )
  return firstLine + rest
}
