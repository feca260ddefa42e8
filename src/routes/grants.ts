/** The polls of a grant over HTTP, the same on both surfaces; what they make of the outcome differs. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Collecting, PollOutcome } from '../core/grants/grant.js'
import type { Wait } from '../core/grants/held-polls.js'
import type { Polls } from '../core/grants/polls.js'
import type { App } from './app.js'

/** Caps the header's length: the pattern for quoted texts backtracks, and would be a ReDoS on long input. */
const LONGEST_PREFER = 256
/** A preference up to the next comma that is not quoted. */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g
const NAME = /^\s*([^\s=;]+)/
const WAIT = /^\s*wait\s*=\s*(?:(\d{1,9})|"(\d{1,9})")\s*(?:;|$)/i

/** Polls, held for as long as the client prefers (RFC 7240), and sets the headers that say so. */
export function pollGrant(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  grantCode: string,
  clientTag: string,
  asked: Omit<Collecting, 'whence'>
): Promise<PollOutcome> {
  const collecting: Collecting = { ...asked, whence: () => app.whereabouts.whence(request) }
  const { prefer } = request.headers
  const seconds = typeof prefer === 'string' ? readWaitSeconds(prefer) : undefined
  if (seconds) return pollAndWait(app, waitOf(app, request, reply, seconds), reply, grantCode, clientTag, collecting)
  return app.core.grants.poll(grantCode, clientTag, collecting)
}

/**
 * Serializes an answer that is always the same once. What a handler returns is then its text, which the framework sends as it is;
 * to the compiler it is the answer.
 */
export function answerOnce<Answer>(answer: Answer): (reply: FastifyReply) => Answer {
  const text = JSON.stringify(answer) as Answer
  return (reply) => {
    reply.header('content-type', 'application/json; charset=utf-8')
    return text
  }
}

/** Whether a poll brings nothing new. Thousands of waiting clients make such a poll every few seconds. */
export function isRoutine({ kind }: PollOutcome): boolean {
  return kind === 'pending' || kind === 'slow_down'
}

/** The seconds for which a Prefer header (RFC 7240) asks to wait at most. Undefined if it names none that can be understood. */
export function readWaitSeconds(header: string): number | undefined {
  if (header.length > LONGEST_PREFER) return undefined
  for (const [preference] of header.matchAll(PREFERENCE)) {
    // RFC 7240 §2: of a preference that is repeated, the first one counts.
    if (NAME.exec(preference)?.[1]?.toLowerCase() !== 'wait') continue
    const [, plain, quoted] = WAIT.exec(preference) ?? []
    const seconds = plain ?? quoted
    return seconds === undefined ? undefined : Number(seconds)
  }
  return undefined
}

async function pollAndWait(app: App, wait: Wait, reply: FastifyReply, ...asked: Parameters<Polls['poll']>) {
  const { outcome, waitSeconds, isReplaced } = await app.core.grants.pollAndWait(...asked, wait)
  sayWaited(app, reply, waitSeconds)
  // Its client is told nothing of a wait, so that it leaves the whole interval: the poll that is held instead has begun a new one.
  if (isReplaced) reply.wasHeld = true
  return outcome
}

/** The wait of a request for so many seconds. It ends when its caller disconnects. */
export function waitOf(app: App, request: FastifyRequest, reply: FastifyReply, seconds: number): Wait {
  const { whereabouts, config } = app
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const from = config.limits === 'off' ? undefined : whereabouts.countedAs(whereabouts.ip(request))
  return { seconds, gone: gone.signal, from }
}

/** Sets the headers of an answer that may have been held. `waitSeconds` is the wait that applied, if one did. */
export function sayWaited(app: App, reply: FastifyReply, waitSeconds: number | undefined): void {
  if (waitSeconds !== undefined) reply.header('preference-applied', `wait=${waitSeconds}`)
  reply.wasHeld = waitSeconds !== undefined
  // The instance may have begun to drain while it was held.
  if (app.readiness.isDraining()) reply.header('connection', 'close')
}
