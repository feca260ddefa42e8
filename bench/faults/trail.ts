/** Reads the audit trail out of Redis as it is, by actor, and looks for secrets of the load in it. */
import { grantIdOf } from '../../src/core/audit/event.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Leftover } from './actor.js'
import type { ToldEvent, Trail } from './history.js'

/** The stream as src/storage/redis/keys.ts spells it. */
const STREAM = 'grantd:events'
const READ_AT_ONCE = 1_000

export async function readTrail(primaries: readonly RedisServer[], leftovers: readonly Leftover[]): Promise<Trail> {
  const actors = new Map(leftovers.map(({ actor, grantCode }) => [grantIdOf(digestOf(grantCode)), actor]))
  const told = new Map<string, ToldEvent[]>()
  let text = ''
  for (const { client } of primaries) {
    for (let from = '-'; ; ) {
      // Of a Cluster, one primary has the key, and the others say so.
      const entries = await client.xrange(STREAM, from, '+', 'COUNT', READ_AT_ONCE).catch((error: Error) => {
        if (!error.message.startsWith('MOVED')) throw error
        return []
      })
      for (const [, flat] of entries) {
        const event = eventOf(flat)
        const actor = actors.get(event.grant) ?? event.user
        told.set(actor, [...(told.get(actor) ?? []), event])
        text += `${flat.join(' ')}\n`
      }
      const last = entries.at(-1)?.[0]
      if (last === undefined) break
      from = `(${last}`
    }
  }
  const secretsOf = ({ grantCode, userCode, tokens }: Leftover) => {
    const letters = userCode.replaceAll('-', '')
    return [grantCode, userCode, letters, letters.toLowerCase(), tokens?.access, tokens?.refresh]
  }
  const leaks = leftovers.filter((leftover) => secretsOf(leftover).some((secret) => secret && text.includes(secret)))
  return { told, leaks: new Set(leaks.map(({ actor }) => actor)) }
}

function eventOf(flat: readonly string[]): ToldEvent & { user: string; grant: string } {
  const value = (name: string) => flat[flat.findIndex((word, i) => i % 2 === 0 && word === name) + 1] ?? ''
  return { type: value('type'), authorization: value('authorization'), user: value('user'), grant: value('grant') }
}
