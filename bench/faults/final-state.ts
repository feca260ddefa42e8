/**
 * Reads the final state: polls every grant, uses every token and reads every list once more, scans the records in Redis,
 * and reads the audit trail.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.js'
import { sessionOf } from '../../test/support/tokens.js'
import type { Leftover } from './actor.js'
import type { FinalState, ListedClient, Outcome } from './history.js'
import * as surfaces from './surfaces.js'
import { readTrail } from './trail.js'
import type { Answered, Sent, Transport } from './transport.js'

const AT_ONCE = 8
const TRIES = 20
/** A key of a record as src/storage/redis/keys.ts spells it, for the kind `authorized-client`. */
const RECORD = /^grantd:authorized-client:\{([^}]+)\}:(.+)$/

interface Row {
  id: string
  label: string | null
  revoked_at: string | null
}

export async function readFinalState(
  transport: Transport,
  leftovers: readonly Leftover[],
  primaries: readonly RedisServer[]
): Promise<FinalState> {
  const polls = new Map<string, Outcome>()
  const uses = new Map<string, Outcome>()
  const clients = new Map<string, ListedClient[]>()

  /**
   * Repeats a request while the service answers 503, because a verdict needs an answer. A service that goes on
   * answering 503 has not recovered.
   */
  async function ask(what: Sent): Promise<Answered> {
    for (let tries = 0; tries < TRIES; tries++) {
      const answer = await transport.send(what)
      if (answer.status !== 503) return answer
      await sleep(200)
    }
    return transport.send(what)
  }

  async function look({ actor, surface, grantCode, tokens }: Leftover): Promise<void> {
    polls.set(actor, surface.pollOutcome(await ask(surface.poll(grantCode))))
    if (tokens) uses.set(actor, surfaces.useOutcome(await ask(surface.use(tokens.access))))
    const { body } = await ask(surfaces.list(await sessionOf(actor)))
    const rows = (body.data ?? []) as Row[]
    clients.set(
      actor,
      rows.map(({ id, label, revoked_at }) => ({ id, label, isRevoked: revoked_at !== null }))
    )
  }

  const queue = [...leftovers]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = queue.pop(); next; next = queue.pop()) await look(next)
    })
  )
  return {
    ...{ polls, uses, clients },
    records: await readRecords(primaries),
    trail: await readTrail(primaries, leftovers)
  }
}

async function readRecords(primaries: readonly RedisServer[]): Promise<Map<string, string[]>> {
  const records = new Map<string, string[]>()
  for (const { client } of primaries) {
    let cursor = '0'
    do {
      const [next, keys] = await client.scan(cursor, 'MATCH', 'grantd:authorized-client:*', 'COUNT', 1_000)
      for (const key of keys) {
        const [, actor, id] = RECORD.exec(key) ?? []
        if (actor && id) records.set(actor, [...new Set([...(records.get(actor) ?? []), id])])
      }
      cursor = next
    } while (cursor !== '0')
  }
  return records
}
