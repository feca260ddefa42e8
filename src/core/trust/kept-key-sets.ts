/**
 * Key sets of others, held for ten minutes. A set is fetched once for all who wait for it, and again for a token that no key
 * of it verifies, at most once a minute, so that forged tokens cannot cause more. Each process holds its own, so many and so large.
 */
import type { JWTVerifyResult } from 'jose'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { askForDocument, readDocument } from './json-document.js'
import { type KeySet, readKeySet, type VerifyOptions, wantsAnotherKey } from './key-set.js'

const FRESH_MS = 600_000
const AGAIN_AFTER_MS = 60_000
const MOST_HELD = 1_000
/** All sets together, by what they say of their size: so many of four RSA keys each. */
const MOST_BYTES = 40 * 1024 * 1024
/** How long the operator's own dashboard has to answer, while a person waits. */
const DASHBOARD_ANSWERS_WITHIN_MS = 3_000

export interface Kept {
  keys: KeySet
}

/**
 * Resolves to the set of a publisher; `again` asks for a newer one than the held, and `owner` is who has it fetched. Undefined for
 * a publisher that has none to be used. Rejects with `unavailable` when it could not be asked.
 */
export type KeySetOf<T extends Kept> = (publisher: string, again?: boolean, owner?: string) => Promise<T | undefined>

export interface KeptKeySetsParts<T extends Kept> {
  /** Fetches a set. What it throws, before it returns a promise, is told to whoever asked and not held. */
  look(publisher: string, owner: string): Promise<T | undefined>
  clock: Clock
  /** How long a failure is told to everybody, so that they do not each ask a publisher that is away. */
  failedForMs: number
}

interface Held<T> {
  set: Promise<T | undefined>
  untilMs: number
  /** From this time on, a token that no key verifies lets the set be fetched again. */
  againFromMs: number
  /** In bytes, once the set is there. */
  size: number
  /** The newer set that is being fetched. Only callers whose key was unknown wait for it. */
  newer?: Promise<T | undefined>
}

export function createKeptKeySets<T extends Kept>({ look, clock, failedForMs }: KeptKeySetsParts<T>): KeySetOf<T> {
  const held = new Map<string, Held<T>>()

  /** What is past its time goes, and then what was set longest ago, until the rest is within the bounds. */
  function hold(publisher: string, one: Held<T>): void {
    held.delete(publisher)
    held.set(publisher, one)
    for (const [other, { untilMs }] of held) if (clock() >= untilMs) held.delete(other)
    let bytes = [...held.values()].reduce((sum, { size }) => sum + size, 0)
    for (const [other, { size }] of held) {
      if (held.size <= MOST_HELD && bytes <= MOST_BYTES) break
      held.delete(other)
      bytes -= size
    }
  }

  return async (publisher, again = false, owner = '') => {
    const known = held.get(publisher)
    const isGood = known !== undefined && clock() < known.untilMs
    if (isGood && !again) return known.set
    if (known && again && clock() < known.againFromMs) return known.newer ?? known.set
    const set = look(publisher, owner)
    const againFromMs = clock() + AGAIN_AFTER_MS
    const found = { set, untilMs: clock() + FRESH_MS, againFromMs, size: 0 }
    const meanwhile = isGood ? { ...known, againFromMs, newer: set } : found
    hold(publisher, meanwhile)
    set.then(
      (keys) => {
        // An invalid answer does not replace a set that is still fresh.
        if (held.get(publisher) !== meanwhile || (isGood && !keys)) return
        // A publisher without a set may have one soon, as when its name was not known yet.
        hold(publisher, keys ? { ...found, size: keys.keys.size } : { ...found, untilMs: againFromMs })
      },
      () => {
        // Without a fresh set, all callers get the failure for this long.
        const failedUntilMs = clock() + failedForMs
        if (held.get(publisher) === meanwhile && !isGood)
          hold(publisher, { ...found, untilMs: failedUntilMs, againFromMs: failedUntilMs })
      }
    )
    return set
  }
}

/**
 * Verifies a JWT with the set that is held, or with a newer one if no key of the held one verifies it. Undefined if the
 * publisher has no set. Rejects like KeySet.verify, and with `unavailable` when the publisher could not be asked.
 */
export async function verifyWithKept<T extends Kept>(
  of: (again: boolean) => Promise<T | undefined>,
  token: string,
  options: VerifyOptions
): Promise<(JWTVerifyResult & { set: T }) | undefined> {
  const set = await of(false)
  if (!set) return undefined
  try {
    return { ...(await set.keys.verify(token, options)), set }
  } catch (error) {
    if (!wantsAnotherKey(error)) throw error
    const newer = await of(true)
    // The same set would give the same answer, at the cost of the same signature checks.
    if (!newer || newer === set) throw error
    return { ...(await newer.keys.verify(token, options)), set: newer }
  }
}

/** The key set at a URL that the operator chose, which may be an internal one. A failure is not held. */
export function createDashboardKeys(url: string, clock: Clock): (again: boolean) => Promise<Kept | undefined> {
  const look = async (): Promise<Kept> => {
    try {
      return { keys: readKeySet(await readDocument(await askForDocument(new URL(url), DASHBOARD_ANSWERS_WITHIN_MS))) }
    } catch (error) {
      throw fault('unavailable', { detail: "the dashboard's keys", cause: error })
    }
  }
  const of = createKeptKeySets({ look, clock, failedForMs: 0 })
  return (again) => of(url, again)
}
