/** Refresh families in memory: runs core/tokens/refresh-family.ts. */
import type { Clock } from '../../core/clock.js'
import { type FamilyState, judgeRotation, type RefreshFamilyStore } from '../../core/tokens/refresh-family.js'
import type { Sweeps } from './sweeps.js'

interface StoredFamily extends FamilyState {
  userId: string
  keepUntilMs: number
}

export function createMemoryRefreshFamilyStore(clock: Clock, sweeps: Sweeps): RefreshFamilyStore {
  const families = new Map<string, StoredFamily>()

  function living(familyId: string): StoredFamily | undefined {
    const family = families.get(familyId)
    return family && family.keepUntilMs > clock() ? family : undefined
  }

  sweeps.add({
    sweep() {
      for (const id of families.keys()) if (!living(id)) families.delete(id)
    },
    kept: () => families.size
  })

  return {
    async begin(familyId, { userId, currentDigest }, keepUntilMs) {
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
