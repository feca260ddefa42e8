/** Sends requests for actors and records each with its answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Entry, Kind, Outcome } from './history.js'
import type { Answered, Sent, Transport } from './transport.js'

export interface Operation {
  actor: string
  kind: Kind
  what: Sent
  outcomeOf: (answer: Answered) => Outcome
  said?: string
  /** Reads the id of the authorization from an answer that hands out tokens. */
  authorizationIn?: (answer: Answered) => string
}

export interface Recorder {
  history: Entry[]
  /** Sends the request once. */
  once(operation: Operation): Promise<{ outcome: Outcome; answer: Answered }>
  /**
   * Repeats the request while the service is unavailable, after the Retry-After of each answer. Undefined after 40
   * seconds.
   */
  insist(operation: Operation): Promise<{ outcome: Outcome; answer: Answered } | undefined>
}

/**
 * These statuses ask the client to come again and count as unavailable only with Retry-After. A connection that ended
 * (0) and the 502 and 504 of a balancer without an instance count without it.
 */
const COME_AGAIN = [429, 503]
const NOTHING_SAID = [0, 502, 504]
const GIVE_UP_AFTER_MS = 40_000

export function createRecorder(transport: Transport): Recorder {
  const history: Entry[] = []
  let operations = 0

  async function send(operation: Operation, number: number) {
    const { actor, kind, what, outcomeOf, said, authorizationIn } = operation
    const sentAt = performance.now()
    const answer = await transport.send(what)
    const outcome = isUnavailable(answer) ? 'unavailable' : outcomeOf(answer)
    history.push({
      actor,
      kind,
      operation: number,
      sentAt,
      answeredAt: performance.now(),
      status: answer.status,
      outcome,
      ...(said !== undefined && { said }),
      ...(outcome === 'approved' && authorizationIn && { authorization: authorizationIn(answer) })
    })
    return { outcome, answer }
  }

  return {
    history,
    once: (operation) => send(operation, operations++),
    async insist(operation) {
      const number = operations++
      const until = performance.now() + GIVE_UP_AFTER_MS
      while (performance.now() < until) {
        const sent = await send(operation, number)
        if (sent.outcome !== 'unavailable') return sent
        await sleep(1_000 * Number(sent.answer.headers['retry-after'] ?? 1))
      }
      return undefined
    }
  }
}

/** The service could not decide, or there was no answer: the same request may be sent again. */
export function isUnavailable({ status, headers }: Answered): boolean {
  return NOTHING_SAID.includes(status) || (COME_AGAIN.includes(status) && Number(headers['retry-after']) >= 1)
}
