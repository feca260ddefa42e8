/** Refresh families in memory: runs core/tokens/refresh-family.ts. Expired ones are swept whenever their number has doubled. */
import type { Clock } from '../../core/clock.js'
import { type FamilyState, judgeRotation, type RefreshFamilyStore } from '../../core/tokens/refresh-family.js'

interface StoredFamily extends FamilyState {
  userId: string
  keepUntilMs: number
}

const SWEEP_AT_LEAST = 1_000

export function createMemoryRefreshFamilyStore(clock: Clock): RefreshFamilyStore {
  const families = new Map<string, StoredFamily>()
  let sweepAt = SWEEP_AT_LEAST

  function living(familyId: string): StoredFamily | undefined {
    const family = families.get(familyId)
    return family && family.keepUntilMs > clock() ? family : undefined
  }

  function sweep(): void {
    if (families.size < sweepAt) return
    for (const id of families.keys()) if (!living(id)) families.delete(id)
    sweepAt = Math.max(SWEEP_AT_LEAST, 2 * families.size)
  }

  return {
    async begin(familyId, { userId, currentDigest }, keepUntilMs) {
      sweep()
      const family = living(familyId) ?? { userId, currentDigest, rotated: [], keepUntilMs }
      families.set(familyId, family)
      return { userId: family.userId, currentDigest: family.currentDigest }
    },

    async find(familyId) {
      const family = living(familyId)
      return family && { userId: family.userId, currentDigest: family.currentDigest }
    },

    async rotate(familyId, presentedDigest, nextDigest) {
      const family = living(familyId)
      if (!family) return { kind: 'unknown' }
      const kind = judgeRotation(family, presentedDigest, nextDigest, clock())
      return kind === 'rotated' || kind === 'repeated' ? { kind, currentDigest: family.currentDigest } : { kind }
    }
  }
}
