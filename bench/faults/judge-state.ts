/** What must be there in the end of what was acknowledged, and how often. */
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
    // Once collected it is a record; of a grant that nobody has collected the last poll is the first to do so.
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

/** The last label that was acknowledged, or one that was asked for after that and may have been given. */
function labelsThatMayBe(story: Story): Set<string> | undefined {
  const renames = story.all('rename')
  const last = renames.findLastIndex(({ outcome }) => outcome === 'done')
  return last === -1 ? undefined : new Set(renames.slice(last).map(({ said }) => said ?? ''))
}
