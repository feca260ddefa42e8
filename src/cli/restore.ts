/** `grantd restore …`: what a backup has brought back, counted or ended. */
import type { Core } from '../core/index.js'
import { isClean, type RestoreCounts, type WhatEnds } from '../core/restore/restore-counts.js'
import { type RestoreOptions, readWhatEnds } from './restore-options.js'

/** The code of `restore check` when there is something to clean; 1 is that of a command that failed. */
const FOUND = 3

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
  apiKeyRights: 'API keys from which rights were taken',
  connections: 'connected accounts that were disconnected',
  signingKeyRotations: 'rotations of the signing key',
  epochs: 'epochs'
} as const

/** Checks or cleans, and resolves to the lines to print. Rejects with an Error whose message is meant for the operator. */
export async function runRestoreCommand(core: Core, verb: string, options: RestoreOptions): Promise<string[]> {
  const { restore } = core
  if (!restore) throw new Error('there is nothing to restore without Redis')
  const what = await readWhatEnds(options)
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
