/** Cookies that only this service can read or write: sealed, with their own end, and told apart by their names. */
import '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from '../app.js'

export interface Cookie<T> {
  read(request: FastifyRequest): T | undefined
  set(reply: FastifyReply, value: T): void
  clear(reply: FastifyReply): void
}

/** Cookies of one kind: each has an id in its name, so that tabs that are answered at once do not overwrite each other's. */
export interface CookiesById<T> {
  read(request: FastifyRequest, id: string): T | undefined
  /** All that the browser has sent, readable or not, with the bytes of each in the header. */
  sent(request: FastifyRequest): { id: string; value: T | undefined; bytes: number }[]
  /** The bytes of it in the header; undefined, and nothing is set, if it is longer than browsers keep. */
  set(reply: FastifyReply, id: string, value: T): number | undefined
  clear(reply: FastifyReply, id: string): void
}

export const OPTIONS = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const
/** Browsers drop larger cookies, of which the name is a part. */
const LONGEST = 4096
/** What `randomBytes(16)` makes in base64url. */
const ID = /^[\w-]{22}$/

const inHeader = (name: string, text: string) => `${name}=${text}; `.length

export function createSealedCookies({ clock, core: { keyring } }: App) {
  /** `of` and `record` are what it is sealed for. */
  function sealed<T>(name: string, lifeSeconds: number, of = name, record = '') {
    const purpose = `cookie ${of}`
    return {
      read(request: FastifyRequest): T | undefined {
        const text = readOnly(request, name)
        if (!text || text.length > LONGEST) return undefined
        try {
          const { value, untilMs } = JSON.parse(keyring.open(purpose, record, text)) as { value: T; untilMs: number }
          return untilMs > clock() ? value : undefined
        } catch {
          // The cookie was forged or sealed under a removed secret, so it counts as absent.
          return undefined
        }
      },
      set(reply: FastifyReply, value: T): number | undefined {
        const text = keyring.seal(purpose, record, JSON.stringify({ value, untilMs: clock() + lifeSeconds * 1000 }))
        if (name.length + text.length > LONGEST) return undefined
        reply.setCookie(name, text, { ...OPTIONS, maxAge: lifeSeconds })
        return inHeader(name, text)
      },
      clear: (reply: FastifyReply) => void reply.clearCookie(name, OPTIONS)
    }
  }

  function sealedEach<T>(prefix: string, lifeSeconds: number): CookiesById<T> {
    const one = (id: string) => sealed<T>(prefix + id, lifeSeconds, prefix, id)
    const read = (request: FastifyRequest, id: string) => (ID.test(id) ? one(id).read(request) : undefined)
    return {
      read,
      sent: (request) =>
        Object.entries(request.cookies).flatMap(([name, text = '']) => {
          const id = name.slice(prefix.length)
          if (!name.startsWith(prefix) || !ID.test(id)) return []
          return [{ id, value: read(request, id), bytes: inHeader(name, text) }]
        }),
      set: (reply, id, value) => one(id).set(reply, value),
      clear: (reply, id) => one(id).clear(reply)
    }
  }

  /** If a cookie occurs twice, another site has set one of them (RFC 6265 §8.6), so neither counts. */
  function readOnly(request: FastifyRequest, name: string): string | undefined {
    const sent = (request.headers.cookie ?? '').split(';').filter((pair) => pair.split('=', 1)[0]?.trim() === name)
    return sent.length === 1 ? request.cookies[name] : undefined
  }

  return { sealed, sealedEach, readOnly }
}
