/** A session of the pages: a user signed in in a browser. The cookie holds its token; the record holds only a digest of it. */
import { randomBytes } from 'node:crypto'
import type { Fields } from '../records/record-store.js'

export interface BrowserSession {
  /** The digest of the token, by which the session is looked up. */
  id: string
  userId: string
  /** The user's display name. */
  name: string
  /** The upstream the user signed in with; undefined for the demo sign-in. */
  upstreamId: string | undefined
  signedInAtMs: number
  /** Written once a minute at most, so it may lag behind by that much. */
  lastUsedAtMs: number
}

const TOKEN = /^[A-Za-z0-9_-]{43}$/

/** 256 random bits, as 43 base64url characters. */
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
