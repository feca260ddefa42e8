/** Knows when a fault was in force, so that what is answered then can be told from what is answered at any other time. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isUnavailable } from '../faults/recorder.js'
import type { Answered, Sent, Transport } from '../faults/transport.js'

/** What a fault has led to. */
export interface Told {
  times: number
  /** How often a request had no answer, or one that it could not be looked at, by what was said. */
  repeated: Record<string, number>
  /** Grants that expired while their programs were kept from asking. */
  expired: number
}

export interface Trouble {
  /** Causes a fault and repairs it. It stays in force for a while longer, for what the repair takes to be noticed. */
  during(name: string, fault: () => Promise<void>): Promise<void>
  isOn(): boolean
  /** The fault that was in force at some time since this one. */
  since(ms: number): string | undefined
  /** Whether a fault was in force then. */
  wasOn(ms: number): boolean
  told(name: string): Told
  all(): Record<string, Told>
}

/** A driver tries to connect twice a second at least, and a client comes again after a second. */
const NOTICED_AFTER_MS = 3_000

export function createTrouble(): Trouble {
  const periods: { name: string; from: number; until: number }[] = []
  const byName: Record<string, Told> = {}
  const told = (name: string) => {
    byName[name] ??= { times: 0, repeated: {}, expired: 0 }
    return byName[name]
  }
  const since = (ms: number) => {
    const last = periods.at(-1)
    return last && last.until >= ms ? last.name : undefined
  }

  return {
    async during(name, fault) {
      told(name).times += 1
      const period = { name, from: performance.now(), until: Number.POSITIVE_INFINITY }
      periods.push(period)
      await fault()
      period.until = performance.now() + NOTICED_AFTER_MS
    },
    isOn: () => since(performance.now()) !== undefined,
    since,
    wasOn: (ms) => periods.some(({ from, until }) => from <= ms && ms <= until),
    told,
    all: () => byName
  }
}

/** Sends a request; `repeats` is told of each time it is sent again. */
export type Send = (what: Sent, repeats?: () => void) => Promise<Answered>

/** Repeats what a fault keeps from being answered, when the answer says. At any other time an answer is what it is. */
export function insist(send: Transport['send'], trouble: Trouble): Send {
  return async (what, repeats) => {
    for (;;) {
      const sentAt = performance.now()
      const answer = await send(what)
      const fault = isUnavailable(answer) ? trouble.since(sentAt) : undefined
      if (fault === undefined) return answer
      const { repeated } = trouble.told(fault)
      const name = answer.status === 0 ? String(answer.body.error) : `${answer.status}`
      repeated[name] = (repeated[name] ?? 0) + 1
      repeats?.()
      await sleep(1_000 * Number(answer.headers['retry-after'] ?? 1))
    }
  }
}
