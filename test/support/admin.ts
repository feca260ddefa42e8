/** The admin API as an operator's tool sees it: API keys with rights, and lists read page by page. */
import { BY_OPERATOR } from '../../src/core/audit/event.js'
import type { Answer, TestApp } from './app.js'

export interface AdminCalls {
  /** Requests a path below /admin/v0 with a key that may do everything there. */
  ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  /** The same with a key that has these rights alone. */
  askWith(rights: string, method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  /** All entries of a list, and how long each of its pages was. */
  readAll(path: string, limit?: number): Promise<{ entries: Record<string, unknown>[]; lengths: number[] }>
}

type Right = 'tokens' | 'introspect' | 'connected-accounts' | 'admin:read' | 'admin:write'

const MOST_PAGES = 1_000

export function adminCalls({ app, call }: TestApp): AdminCalls {
  const keys = new Map<string, Promise<string>>()

  function keyWith(rights: string): Promise<string> {
    const key =
      keys.get(rights) ??
      app.core.apiKeys
        .create('ops', { rights: rights.split(',').filter((right) => right !== '') as Right[] }, BY_OPERATOR)
        .then(({ text }) => text)
    keys.set(rights, key)
    return key
  }

  const askWith: AdminCalls['askWith'] = async (rights, method, path, body) =>
    call(method, `/admin/v0${path}`, { token: await keyWith(rights), ...(body !== undefined && { body }) })
  const ask: AdminCalls['ask'] = (method, path, body) =>
    askWith('admin:read,admin:write,connected-accounts', method, path, body)

  return {
    ask,
    askWith,

    async readAll(path, limit) {
      const entries: Record<string, unknown>[] = []
      const lengths: number[] = []
      let cursor: string | undefined
      do {
        const query = new URLSearchParams()
        if (limit !== undefined) query.set('limit', `${limit}`)
        if (cursor !== undefined) query.set('cursor', cursor)
        const { status, body } = await ask('GET', `${path}${path.includes('?') ? '&' : '?'}${query}`)
        if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
        entries.push(...body.data)
        lengths.push(body.data.length)
        cursor = body.next_cursor
      } while (cursor !== undefined && lengths.length < MOST_PAGES)
      return { entries, lengths }
    }
  }
}
