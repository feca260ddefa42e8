/**
 * After a restore Redis is as it was when the backup was taken: what was revoked since then is good again, and what can be used once can
 * be used again. This ends it, before the instances start. The backup does not say what was revoked after it, so everything that it
 * brought back ends, unless an audit log tells what was (revocation-log.ts, taking-away.ts). May be repeated after an interruption.
 */
import { BY_OPERATOR } from '../audit/event.js'
import type { Clock } from '../clock.js'
import type { Epoch } from '../epoch/epoch.js'
import type { SigningKeyStore } from '../tokens/signing-key.js'
import type { AnnounceEnded } from './ending.js'
import { FAMILIES, type Family, type Keyspace } from './keyspace.js'
import type { RestoreCounts, WhatEnds } from './restore-counts.js'
import type { TakeAway } from './taking-away.js'

export interface Restore {
  /** Rejects with a sentence for the operator unless this user of Redis may do all of it. */
  checkRights(): Promise<void>
  /** What `clean` would end. Changes nothing. */
  check(what: WhatEnds): Promise<RestoreCounts>
  /** Ends it. Resolves to what that was. */
  clean(what: WhatEnds): Promise<RestoreCounts>
  announceEnded: AnnounceEnded
}

export interface RestoreParts {
  keyspace: Keyspace
  epoch: Epoch
  signingKeys: SigningKeyStore
  announceEnded: AnnounceEnded
  takeAway: TakeAway
  /** Notes that somebody was there, so that the instances that start next find no pause. */
  beat(): Promise<void>
  clock: Clock
}

/** What ends even if it is known what was revoked: what is used once, or counts what was done. */
const PASSING: readonly Family[] = ['session', 'grant', 'user-code', 'limit', 'lock']

const familiesOf = (what: WhatEnds) => {
  if (what.kind === 'since-backup') return PASSING
  return FAMILIES.filter((family) => !(what.keepsApiKeys && family === 'api-key'))
}

/** These are records, and lists of them that go with them. */
const RECORDS: ReadonlySet<Family> = new Set<Family>(['authorized-client', 'session', 'api-key'])

export function createRestore(parts: RestoreParts): Restore {
  const { keyspace, epoch, signingKeys, announceEnded, takeAway, beat, clock } = parts

  async function walk(what: WhatEnds, isToDelete: boolean): Promise<RestoreCounts['keys']> {
    const counts: RestoreCounts['keys'] = {}
    await keyspace.walk(familiesOf(what), async (found, place) => {
      for (const { family, record } of found) {
        if (record || !RECORDS.has(family)) counts[family] = (counts[family] ?? 0) + 1
      }
      if (isToDelete) await place.delete(found.map(({ key }) => key))
    })
    return counts
  }

  /** No token of before is valid any more, so no key of before needs to be: those who verify by themselves refuse them with it. */
  async function oldSigningKeys(what: WhatEnds): Promise<number> {
    if (what.kind === 'since-backup') return 0
    const [stored, { beforeMs }] = await Promise.all([signingKeys.list(), epoch.ends()])
    return beforeMs === 0 ? stored.length : stored.filter(({ createdAtMs }) => createdAtMs < beforeMs).length
  }

  return {
    checkRights: () => keyspace.checkRights(),
    announceEnded,

    async check(what) {
      const keys = await walk(what, false)
      const counts = { keys, signingKeys: await oldSigningKeys(what) }
      return what.kind === 'everything' ? counts : { ...counts, takenAway: await takeAway(what.taken, false) }
    },

    async clean(what) {
      await beat()
      if (what.kind === 'everything') {
        // First, so that nothing of before is good while the rest goes, nor if an instance that runs writes some of it again.
        await epoch.begin(clock(), { apiKeys: !what.keepsApiKeys }, BY_OPERATOR)
        const old = await oldSigningKeys(what)
        if (old > 0) await signingKeys.clear()
        return { keys: await walk(what, true), signingKeys: old }
      }
      const takenAway = await takeAway(what.taken, true)
      return { keys: await walk(what, true), signingKeys: 0, takenAway }
    }
  }
}
