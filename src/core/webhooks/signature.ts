/** The signatures of Standard Webhooks 1.0: HMAC-SHA256 over the id, the time and the body, one of each secret. */
import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'
/** The bytes that the standard wants of a secret. */
const [SHORTEST, LONGEST] = [24, 64]

/** The bytes of a secret; undefined for what is none. */
export function secretBytesOf(secret: string): Buffer | undefined {
  const text = secret.slice(PREFIX.length)
  if (!secret.startsWith(PREFIX) || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.length >= SHORTEST && bytes.length <= LONGEST ? bytes : undefined
}

export interface SignedMessage {
  id: string
  /** When it is sent. */
  atMs: number
  body: string
}

/** The headers of a message. A receiver takes it if one of the signatures is of a secret that it knows. */
export function signedHeaders(secrets: readonly string[], { id, atMs, body }: SignedMessage): Record<string, string> {
  const timestamp = `${Math.floor(atMs / 1000)}`
  const signatures = secrets.map((secret) => {
    const hmac = createHmac('sha256', secretBytesOf(secret) ?? '')
    return `v1,${hmac.update(`${id}.${timestamp}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
