/** The requests that a random history may contain, chosen before its grants exist. */
import fc from 'fast-check'
import type { Action } from '../../src/core/grants/grant.js'
import { CLIENT_TAG, decisionOf, newDigest, requestOf } from './engine.js'
import type { Operation } from './grant-model.js'

/** The grant and the code that an operation concerns, by number. */
export interface Aim {
  /** The number of the grant counted from the latest, which is 0. A new grant has the most changes ahead of it. */
  which: number
  tag: number
}

/** What the numbers of an aim stand for. */
export interface Named {
  /** The digests of the grants in the order of their creation. */
  digests: string[]
  tags: string[]
}

export interface Plan {
  text: string
  operation(named: Named): Operation
  /** Whether the other instance is asked. */
  onOther: boolean
}

type Planner = (aim: Aim) => Omit<Plan, 'onOther'>

export function plans(): fc.Arbitrary<(aim: Aim) => Plan> {
  const intervalMs = fc.oneof(fc.constantFrom(1_000, 5_000, 60_000), fc.integer({ min: 1_000, max: 60_000 }))
  const made = fc.record({ lifeMs: fc.constantFrom(10_000, 61_234, 900_000, 900_000), intervalMs })
  const action = fc.constantFrom<Action>('approve', 'approve', 'deny')
  const decided = fc.record({ action, userId: fc.constantFrom('alice', 'bob') })
  const planner = fc.oneof(
    { weight: 2, arbitrary: made.map(create) },
    { weight: 6, arbitrary: fc.constant(ofGrant('poll')) },
    { weight: 3, arbitrary: decided.map(decide) },
    { weight: 2, arbitrary: fc.constant(ofGrant('collect')) },
    { weight: 1, arbitrary: fc.constant(ofGrant('withdraw')) },
    { weight: 1, arbitrary: fc.constant(ofGrant('stateOf')) },
    { weight: 1, arbitrary: fc.constant(find) }
  )
  return fc.tuple(planner, fc.boolean()).map(([plan, onOther]) => (aim: Aim) => ({ ...plan(aim), onOther }))
}

export const digestOf = ({ digests }: Named, which: number) =>
  digests[digests.length - 1 - (which % digests.length)] as string
const tagOf = ({ tags }: Named, which: number) => tags[which % tags.length] as string

/** The first request of every history. */
export const firstGrant: Plan = {
  ...create({ lifeMs: 900_000, intervalMs: 5_000 })({ which: 0, tag: 0 }),
  onOther: false
}

function create({ lifeMs, intervalMs }: { lifeMs: number; intervalMs: number }): Planner {
  return ({ tag }) => ({
    text: `create(code ${tag}, life ${lifeMs}, interval ${intervalMs})`,
    operation(named) {
      const digest = newDigest()
      const request = requestOf({ metadata: { name: `grant ${digest}\n` } })
      const grant = { request, clientTag: CLIENT_TAG, lifeMs, intervalMs }
      return { kind: 'create', digest, tag: tagOf(named, tag), grant }
    }
  })
}

function ofGrant(kind: 'poll' | 'collect' | 'withdraw' | 'stateOf'): Planner {
  return ({ which }) => ({
    text: `${kind}(${which})`,
    operation: (named) => ({ kind, digest: digestOf(named, which) })
  })
}

function decide(parts: { action: Action; userId: string }): Planner {
  return ({ which }) => ({
    text: `decide(${which}, ${parts.action}, ${parts.userId})`,
    operation: (named) => ({ kind: 'decide', digest: digestOf(named, which), decision: decisionOf(parts) })
  })
}

const find: Planner = ({ tag }) => ({
  text: `find(code ${tag})`,
  operation: (named) => ({ kind: 'find', tag: tagOf(named, tag) })
})
