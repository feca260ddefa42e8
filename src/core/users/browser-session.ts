/** A session of the pages: who is signed in in a browser. Its token is in the browser's cookie, here there is a digest of it. */
import { randomBytes } from 'node:crypto'
import type { Fields } from '../records/record-store.js'

export interface BrowserSession {
  /** Digest of the token, by which the session is found. */
  id: string
  userId: string
  /** What to call the user. */
  name: string
  /** The identity provider they signed in with; none for the demo's. */
  upstreamId: string | undefined
  signedInAtMs: number
  /** At most a minute behind. */
  lastUsedAtMs: number
}

const TOKEN = /^[A-Za-z0-9_-]{43}$/

/** 256 bits that nobody can guess. */
export function newSessionToken(): string {
  return randomBytes(32).toString('base64url')
}

export function isSessionToken(text: string): boolean {
  return TOKEN.test(text)
}

export function toFields({ userId, name, upstreamId, signedInAtMs, lastUsedAtMs }: BrowserSession): Fields {
  const known = Object.entries({ userId, name, providerId: upstreamId, signedInAtMs, lastUsedAtMs }).filter(
    ([, value]) => value !== undefined
  )
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]))
}

export function fromFields(id: string, fields: Fields): BrowserSession {
  return {
    id,
    userId: fields.userId ?? '',
    name: fields.name ?? '',
    upstreamId: fields.providerId,
    signedInAtMs: Number(fields.signedInAtMs),
    lastUsedAtMs: Number(fields.lastUsedAtMs)
  }
}
