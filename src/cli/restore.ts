/** `grantd restore …`: what a backup has brought back, counted or ended. `grantd epoch begin`: ends what was issued before a moment. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { BY_OPERATOR } from '../core/audit/event.js'
import { KNOWN_AFTER_MS } from '../core/epoch/epoch.js'
import type { Core } from '../core/index.js'
import { isClean, type RestoreCounts, type WhatEnds } from '../core/restore/restore.js'
import { readRevocationLog } from '../core/restore/revocation-log.js'

/** The code of `restore check` when there is something to clean; 1 is that of a command that failed. */
const FOUND = 3
/** A backup takes some time, and the clocks of whoever takes it and of the instances differ. */
const SINCE_SLACK_MS = 60_000

export interface RestoreOptions {
  'revoked-from'?: string | undefined
  since?: string | undefined
  before?: string | undefined
  'keep-api-keys'?: boolean | undefined
  'api-keys'?: boolean | undefined
  json?: boolean | undefined
}

/** What the counts are of, in the order in which they are shown. */
const KEYS = {
  'authorized-client': 'authorized clients',
  'refresh-family': 'families of refresh tokens',
  session: 'sessions of the pages',
  grant: 'grants',
  'user-code': 'user codes',
  'api-key': 'API keys',
  limit: 'limits that were counted',
  lock: 'locks'
} as const
const TAKEN = {
  authorizations: 'revocations of authorized clients',
  users: 'users blocked, or let be again',
  apiKeys: 'revocations of API keys',
  connections: 'connected accounts that were disconnected',
  signingKeyRotations: 'rotations of the signing key',
  epochs: 'epochs'
} as const

/** Checks or cleans, and resolves to the lines to print. Rejects with an Error whose message is meant for the operator. */
export async function runRestoreCommand(core: Core, verb: string, options: RestoreOptions): Promise<string[]> {
  const { restore } = core
  if (!restore) throw new Error('there is nothing to restore without Redis')
  const what = await readOptions(options)
  await restore.checkRights()
  if (verb === 'check') {
    const counts = await restore.check(what)
    if (!isClean(counts)) process.exitCode = FOUND
    if (options.json) return [JSON.stringify({ ...counts, clean: isClean(counts) })]
    if (isClean(counts)) return ['nothing is left to clean']
    return ['a backup has brought back, and restore clean would end:', ...describe(counts)]
  }
  const counts = await restore.clean(what)
  const left = await restore.check(what)
  if (!isClean(left)) process.exitCode = FOUND
  if (options.json) return [JSON.stringify({ ...counts, clean: isClean(left), left })]
  return [
    ...(isClean(counts) ? ['nothing was left to clean'] : ['ended:', ...describe(counts)]),
    ...(isClean(left)
      ? whatIsUnknown(what)
      : ['and there is more by now: stop all instances, and run it again', ...describe(left)])
  ]
}

/** Begins an epoch and announces what it has ended. Resolves to the lines to print. */
export async function runEpochCommand({ epoch, restore }: Core, options: RestoreOptions): Promise<string[]> {
  const nowMs = Date.now()
  const beforeMs = options.before === undefined ? nowMs : readTime('--before', options.before)
  if (beforeMs > nowMs) throw new Error('--before: this is yet to come')
  const ends = await epoch.begin(beforeMs, { apiKeys: options['api-keys'] === true }, BY_OPERATOR)
  // By then every instance has read it.
  await sleep(KNOWN_AFTER_MS)
  const moment = new Date(ends.beforeMs).toISOString()
  const ended = `ended on every instance: what was issued before ${moment}${options['api-keys'] ? ', API keys as well' : ''}`
  const counts = await restore?.checkRights().then(
    () => restore.announceEnded(ends),
    (error: Error) => {
      throw new Error(
        `${ended}. But it could not be announced to APIs that verify tokens by themselves: ${error.message}`
      )
    }
  )
  const { announced = 0, failed = 0 } = counts ?? {}
  if (failed > 0) throw new Error(`${ended}. ${announced} are announced, and ${failed} could not be: run it again`)
  if (options.json) return [JSON.stringify({ before: moment, api_keys: options['api-keys'] === true, announced })]
  return [ended, `${announced} authorized clients are announced as revoked to APIs that verify tokens by themselves`]
}

function describe({ keys, signingKeys, takenAway }: RestoreCounts): string[] {
  const ofKeys = Object.entries(KEYS).map(([name, what]) => [keys[name as keyof typeof KEYS] ?? 0, what] as const)
  const ofLog = Object.entries(TAKEN).map(
    ([name, what]) => [takenAway?.[name as keyof typeof TAKEN] ?? 0, what] as const
  )
  return [...ofKeys, [signingKeys, 'signing keys'] as const, ...ofLog]
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${String(count).padStart(9)}  ${what}`)
}

/** What no command can know after a restore. */
function whatIsUnknown({ kind }: WhatEnds): string[] {
  if (kind === 'since-backup') return ['what the log does not have is as the backup has it']
  return [
    'what else was taken away since the backup is back: blocked users, workloads, connected accounts. See docs/operations.md'
  ]
}

async function readOptions(options: RestoreOptions): Promise<WhatEnds> {
  const { 'revoked-from': file, since, 'keep-api-keys': keepsApiKeys = false } = options
  if (file === undefined && since === undefined) return { kind: 'everything', keepsApiKeys }
  if (file === undefined || since === undefined) {
    throw new Error(
      '--revoked-from FILE and --since TIME belong together: the lines of an audit log, and when the backup was taken'
    )
  }
  const sinceMs = readTime('--since', since)
  const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  const taken = await readRevocationLog(lines, sinceMs - SINCE_SLACK_MS)
  if (taken.firstAtMs === undefined) throw new Error(`--revoked-from: ${file} has no line of an audit log`)
  if (taken.firstAtMs > sinceMs) {
    const first = new Date(taken.firstAtMs).toISOString()
    throw new Error(
      `--revoked-from: ${file} begins at ${first}, after the backup: what was revoked in between is not in it`
    )
  }
  return { kind: 'since-backup', taken, sinceMs }
}

function readTime(option: string, text: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms) || !/^\d{4}-\d\d-\d\dT/.test(text))
    throw new Error(`${option}: expected a time such as 2026-03-04T05:06:07Z`)
  return ms
}
