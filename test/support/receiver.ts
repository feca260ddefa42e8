/** A receiver of webhooks on the loopback, which verifies what it gets with the library of Standard Webhooks. */
import type { RequestListener } from 'node:http'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { type Listener, listen } from './trusted-issuer.js'

export const WEBHOOK_SECRET = `whsec_${Buffer.from('what a receiver and the service know').toString('base64')}`

export interface ReceivedEvent {
  /** `webhook-id`. */
  id: string
  type: string
  data: Record<string, string | null>
}

export interface Receiver extends Listener {
  url: string
  /** What was verified and taken, in order. */
  readonly got: ReceivedEvent[]
  /** Everything that was verified, taken or not. */
  readonly attempts: ReceivedEvent[]
  /** Answers in another way from now on: with a status, or as a handler does; undefined takes everything. */
  answers(how: number | RequestListener | undefined): void
  /** The entry of WEBHOOKS_FILE for it. */
  entry(id: string, types?: string[]): object
}

type Teardown = { teardown(handler: () => unknown): void }

/** `isAnyTime` takes messages of another time as well, for a clock that the test turns. */
export async function startReceiver(t: Teardown, { isAnyTime = false } = {}): Promise<Receiver> {
  const got: ReceivedEvent[] = []
  const attempts: ReceivedEvent[] = []
  const webhook = new Webhook(WEBHOOK_SECRET)
  let how: number | RequestListener | undefined

  function verify(body: string, headers: Record<string, string>): ReceivedEvent {
    if (!isAnyTime) return webhook.verify(body, headers) as ReceivedEvent
    const sentAt = new Date(Number(headers['webhook-timestamp']) * 1000)
    const signature = webhook.sign(headers['webhook-id'] ?? '', sentAt, body)
    if (signature !== headers['webhook-signature']) throw new Error('another signature')
    return JSON.parse(body)
  }

  const listener = await listen(
    t,
    async (request, response) => {
      const { type, data } = verify(await text(request), request.headers as Record<string, string>)
      const received = { id: String(request.headers['webhook-id']), type, data }
      attempts.push(received)
      if (typeof how === 'function') return how(request, response)
      if (how === undefined) got.push(received)
      response.writeHead(how ?? 204).end()
    },
    { isPlain: true }
  )
  const url = `${listener.origin}/hook/a-secret-of-the-path`
  return {
    ...{ ...listener, url, got, attempts },
    answers(next) {
      how = next
    },
    entry: (id, types = ['*']) => ({ id, url, secret: WEBHOOK_SECRET, types, internal: true })
  }
}
