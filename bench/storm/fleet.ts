/**
 * Clients that wait for a login, each as RFC 8628 has it. Half of them go by both, the interval and Retry-After, as openid-client does;
 * the other half goes by Retry-After alone after a 503, as programs do that leave it to their HTTP library.
 */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answered, Transport } from '../faults/transport.js'
import { manyTimes } from '../support/callers.js'

export interface Poll {
  client: number
  sentAt: number
  answeredAt: number
  /** `authorization_pending`, `approved`, another error of RFC 8628, `503`, `lost` or another status. */
  said: string
}

export interface FleetOptions {
  send: Transport['send']
  count: number
  /** All clients make their first poll at the same moment; otherwise they have come one by one. */
  isTogether: boolean
  /** Polls ask to be held (`Prefer: wait`). */
  isHeld: boolean
  /** The clients take every Retry-After of a 503 for so many seconds. */
  constantSeconds: number | undefined
}

export interface Fleet {
  polls: readonly Poll[]
  userCodes: readonly string[]
  /** Lets all clients poll until they have their tokens, or `stop` is called. */
  run(): Promise<void>
  stop(): void
}

const CLIENT = 'cli'
const STARTS_AT_ONCE = 64
export const HELD_SECONDS = 30
const SLOW_DOWN_SECONDS = 5
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code'

/** Starts a grant for each client. */
export async function startFleet({ send, count, isTogether, isHeld, constantSeconds }: FleetOptions): Promise<Fleet> {
  const polls: Poll[] = []
  const ended = new AbortController()
  setMaxListeners(count, ended.signal)
  const started = await manyTimes(count, STARTS_AT_ONCE, async () => {
    const what = { method: 'POST', path: '/oauth/device_authorization', form: { client_id: CLIENT } } as const
    const { status, body } = await send(what)
    if (status !== 200) throw new Error(`a start was answered ${status}`)
    return body as { device_code: string; user_code: string; interval: number }
  })
  const headers = isHeld ? { prefer: `wait=${HELD_SECONDS}` } : {}

  async function wait(client: number): Promise<void> {
    const { device_code, interval } = started[client] as (typeof started)[number]
    const form = { grant_type: GRANT_TYPE, client_id: CLIENT, device_code }
    const goesByBoth = client % 2 === 0
    let seconds = interval
    // Spread over as long as it takes from one poll to the next, as if the clients had come one by one.
    const spread = isTogether ? 0 : interval + (isHeld ? HELD_SECONDS : 0)
    let pause = interval + (spread * client) / count
    while (await goesOn(pause)) {
      const sentAt = performance.now()
      const answer = await send({ method: 'POST', path: '/oauth/token', form, headers })
      const said = wordOf(answer)
      polls.push({ client, sentAt, answeredAt: performance.now(), said })
      if (said === 'approved') return
      if (said === 'slow_down') seconds += SLOW_DOWN_SECONDS
      const after = Number(answer.headers['retry-after'] ?? 0)
      const told = answer.status === 503 && after > 0 ? (constantSeconds ?? after) : after
      pause = told > 0 && !goesByBoth ? told : Math.max(seconds, told)
    }
  }

  const goesOn = (seconds: number) => sleep(seconds * 1_000, true, { signal: ended.signal }).catch(() => false)

  return {
    polls,
    userCodes: started.map(({ user_code }) => user_code),
    run: async () => void (await Promise.all(started.map((_, client) => wait(client)))),
    stop: () => ended.abort()
  }
}

function wordOf({ status, body }: Answered): string {
  if (status === 200) return 'approved'
  if (status === 400) return String(body.error)
  return status === 0 ? `lost (${body.error})` : `${status}`
}
