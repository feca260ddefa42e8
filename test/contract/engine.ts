/** What a contract suite runs against: two instances of one engine, and a clock that the test turns. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { tagOf } from '../../src/core/clients/client.js'
import type { Decision, GrantRequest } from '../../src/core/grants/grant.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import type { Storage } from '../../src/core/storage.js'
import type { TestClock } from '../support/app.js'

export interface Engine {
  storage: Storage
  /** Another instance over the same state. In memory it is the same one. */
  other: Storage
  clock: TestClock
  /** Lets time pass for the clock and for everything that the engine expires by its own clock. */
  pass(ms: number): Promise<void>
}

export type StartEngine = (t: Test) => Promise<Engine>

export const LIFE_MS = 900_000
export const INTERVAL_MS = 5_000
export const CLIENT_TAG = tagOf('cli')

export function requestOf(parts: Partial<GrantRequest> = {}): GrantRequest {
  return { clientId: 'cli', clientType: 'cli', scopes: [], metadata: { name: 'tool' }, ip: '192.0.2.1', ...parts }
}

export function decisionOf(parts: Partial<Decision> = {}): Decision {
  return {
    action: 'approve',
    userId: 'alice',
    authorizationId: randomUUID(),
    ip: '198.51.100.7',
    revokedAllId: '',
    ...parts
  }
}

/** Digests and tags are new in every test, so that tests never share a grant. */
export function newDigest(): string {
  return digestOf(randomUUID())
}

export function newTag(): string {
  return digestOf(randomUUID()).slice(0, 24)
}

/** Counts how often each value occurs. */
export function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
