/** Judges the final state: everything that was acknowledged must be there, and exactly once. */
import type { FinalState } from './history.js'
import type { Fact, Story } from './stories.js'

const isPast = (time: number) => time < Number.POSITIVE_INFINITY

export function* judgeState(story: Story, state: FinalState): Generator<Fact> {
  const { actor } = story
  const collected = story.entries.flatMap(({ authorization }) => authorization ?? [])
  const clients = state.clients.get(actor)
  const listed = clients?.map(({ id }) => id) ?? []
  const poll = state.polls.get(actor)
  const triedToRevoke = isPast(story.firstSent('revoke'))

  if (isPast(story.firstDone('decide', 'approve'))) {
    // A collected grant has a record. If nobody had collected an approved grant, its last poll is the first collection.
    const isThere = collected.length > 0 || poll === 'approved' ? listed.length > 0 : triedToRevoke && poll === 'denied'
    yield { rule: 'approval kept', broken: !isThere && `the last poll says ${poll}, the list ${listed.length} clients` }
  }
  if (isPast(story.firstDone('decide', 'deny'))) {
    const isThere = poll === 'denied' && collected.length + listed.length === 0
    yield { rule: 'denial kept', broken: !isThere && `the last poll says ${poll}, the list ${listed.length} clients` }
  }

  const ids = new Set([...collected, ...listed, ...(state.records.get(actor) ?? [])])
  if (ids.size > 0) yield { rule: 'one authorization', broken: ids.size > 1 && `there are ${ids.size}` }

  const client = clients?.find(({ id }) => id === collected[0])
  const use = state.uses.get(actor)
  if (isPast(story.firstDone('revoke'))) {
    const isThere = client?.isRevoked && use === 'refused'
    yield { rule: 'revocation kept', broken: !isThere && `revoked ${client?.isRevoked}, the token is ${use}` }
  } else if (!triedToRevoke && collected.length > 0) {
    const isGood = client && !client.isRevoked && use === 'accepted'
    yield { rule: 'no false refusal', broken: !isGood && `in the end a good token is ${use}` }
  }

  const labels = labelsThatMayBe(story)
  if (labels) yield { rule: 'rename kept', broken: !labels.has(client?.label ?? '') && `the label is ${client?.label}` }
}

/**
 * Returns the last acknowledged label and all labels requested later, which may have been applied without an
 * acknowledgement.
 */
function labelsThatMayBe(story: Story): Set<string> | undefined {
  const renames = story.all('rename')
  const last = renames.findLastIndex(({ outcome }) => outcome === 'done')
  return last === -1 ? undefined : new Set(renames.slice(last).map(({ said }) => said ?? ''))
}
