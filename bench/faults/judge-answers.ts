/** Judges every answer by what had been requested and acknowledged when it was given. */
import { COLLECT_AGAIN_MS } from '../../src/core/grants/state-machine.js'
import type { Entry } from './history.js'
import type { Fact, Story } from './stories.js'

/** A revocation must have reached every instance this long after its acknowledgement. */
export const REVOKED_WITHIN_MS = 1_000

export function* judgeAnswers(story: Story): Generator<Fact> {
  for (const entry of story.entries) {
    const { kind, status, outcome } = entry
    yield { rule: 'known answer', broken: outcome === 'unexpected' && `${kind} was answered ${status}` }
    // An error makes no statement about the grant or the token, so there is nothing to judge.
    if (outcome === 'unavailable' || outcome === 'unexpected') continue
    if (kind === 'poll' || kind === 'wait') yield* judgePoll(story, entry)
    else if (kind === 'use' || kind === 'introspect' || kind === 'refresh') yield* judgeUse(story, entry)
    else yield { rule: 'no false refusal', broken: outcome !== 'done' && `${kind} was answered ${outcome} (${status})` }
  }
}

function* judgePoll(story: Story, { outcome, sentAt, answeredAt }: Entry): Generator<Fact> {
  const mayBeSpent = story.firstSent('decide', 'approve') + COLLECT_AGAIN_MS < answeredAt
  const mayBeDenied = Math.min(story.firstSent('decide', 'deny'), story.firstSent('revoke')) <= answeredAt
  const mayBeApproved = story.firstSent('decide', 'approve') <= answeredAt
  const isFalse =
    (outcome === 'gone' && !mayBeSpent) ||
    (outcome === 'denied' && !mayBeDenied) ||
    (outcome === 'approved' && !mayBeApproved)
  yield { rule: 'no false refusal', broken: isFalse && `a poll was answered ${outcome}` }

  if (story.firstDone('decide') > sentAt) return
  const isUnseen = outcome === 'pending' || outcome === 'slow_down'
  yield { rule: 'decision is seen', broken: isUnseen && `a poll after the decision was answered ${outcome}` }
}

function* judgeUse(story: Story, { kind, outcome, sentAt, answeredAt }: Entry): Generator<Fact> {
  if (story.firstDone('revoke') + REVOKED_WITHIN_MS < sentAt) {
    const late = Math.round(sentAt - story.firstDone('revoke'))
    yield { rule: 'revoked is refused', broken: outcome !== 'refused' && `${kind}: ${outcome} ${late} ms after it` }
  }
  if (story.firstSent('revoke') > answeredAt) {
    yield { rule: 'no false refusal', broken: outcome !== 'accepted' && `${kind}: a good token was ${outcome}` }
  }
}

/**
 * Counts the uses of a token that were accepted after its revocation was acknowledged. Judging allows them for
 * REVOKED_WITHIN_MS.
 */
export function acceptedLate(story: Story): number {
  const revokedAt = story.firstDone('revoke')
  return story
    .all('use', 'introspect', 'refresh')
    .filter(({ outcome, sentAt }) => outcome === 'accepted' && sentAt > revokedAt).length
}
