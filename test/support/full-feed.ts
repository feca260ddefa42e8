/** Fills the revocation feed with entries of authorizations that there never were. */
import type { RevocationStore } from '../../src/core/authorizations/revocation-store.js'
import { LARGEST_PAGE } from '../../src/core/records/record-store.js'
import { digestOf } from '../../src/core/secrets/digest.js'

const LASTS_MS = 30 * 24 * 3_600_000
/** As long as the id of an authorization. */
const ID_LENGTH = 36

/** `count` is a multiple of LARGEST_PAGE. */
export async function fillFeed(revocations: RevocationStore, count: number, nowMs: number): Promise<void> {
  for (let i = 0; i < count; i += LARGEST_PAGE) {
    const some = Array.from({ length: LARGEST_PAGE }, (_, j) => ({
      userId: 'ann',
      authorizationId: digestOf(`${i + j}`).slice(0, ID_LENGTH),
      revokedAtMs: nowMs,
      untilMs: nowMs + LASTS_MS
    }))
    await revocations.announce(some)
    await revocations.finish(some)
  }
}
