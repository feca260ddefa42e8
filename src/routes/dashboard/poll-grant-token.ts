import { dashboardOperations, type GrantTokenResponse } from '../../../schemas/generated/dashboard.js'
import { BUILT_IN_TAG } from '../../core/clients/client.js'
import type { Collecting, PollOutcome } from '../../core/grants/grant.js'
import type { App } from '../app.js'
import { answerOnce, isRoutine, pollGrant } from '../grants.js'

/** There is no member for a refresh token in the answer, and none for a choice in the request. */
const COLLECTING: Omit<Collecting, 'whence'> = { resources: [], takesRefreshToken: false }

const PENDING = answerOnce<GrantTokenResponse>({ status: 'authorization_pending' })

/** POST /auth/grant/token: tells the client what has become of its grant, every state as a 200. */
export function pollGrantToken(app: App): void {
  app.route({
    ...dashboardOperations.pollGrantToken,
    config: { waitsForOthers: true, isPolled: true },
    // Not async, which saves a promise for every poll. No client authenticates here, so only the grants of built-in clients can
    // be polled.
    handler: (request, reply) =>
      pollGrant(app, request, reply, request.body.grant_code, BUILT_IN_TAG, COLLECTING).then((outcome) => {
        reply.isRoutine = isRoutine(outcome)
        if (outcome.kind === 'pending') return PENDING(reply)
        if (outcome.kind === 'slow_down') reply.header('retry-after', outcome.intervalSeconds)
        return render(outcome)
      })
  })
}

function render(outcome: Exclude<PollOutcome, { kind: 'pending' }>): GrantTokenResponse {
  switch (outcome.kind) {
    case 'slow_down':
      return { status: 'slow_down', interval: outcome.intervalSeconds }
    case 'approved':
      return { status: 'approved', jwt: outcome.tokens.accessToken, token_type: 'bearer' }
    case 'denied':
    // The operator has removed what was approved.
    case 'invalid_target':
      return { status: 'access_denied' }
    case 'expired':
    case 'spent':
    case 'unknown':
      return { status: 'expired_token' }
  }
}
