/**
 * Sends requests from this process, many at once, and reads each answer. It serves flows whose requests depend on
 * earlier answers, which wrk cannot send.
 */
import { Agent, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Lifetime } from './lifetime.js'
import { CONNECTIONS } from './load.js'

export interface Call {
  method: 'GET' | 'POST'
  body?: string
  headers?: Readonly<Record<string, string>>
}

export class UnexpectedStatus extends Error {
  constructor(
    readonly status: number | undefined,
    what: string
  ) {
    super(`${what} was answered ${status}`)
  }
}

/**
 * Sends a request and resolves to the body of the answer. Rejects with `UnexpectedStatus` if the status is another one.
 */
export type Caller = (url: string, call: Call, status?: number) => Promise<string>

export function createCaller(lifetime: Lifetime): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  lifetime.ends(() => agent.destroy())
  return (url, { method, body = '', headers = {} }, status = 200) =>
    new Promise((resolve, reject) => {
      const lengths = method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {}
      const sent = httpRequest(url, { agent, method, headers: { ...headers, ...lengths } }, (answer) => {
        text(answer).then((received) => {
          if (answer.statusCode === status) resolve(received)
          else reject(new UnexpectedStatus(answer.statusCode, `${method} ${url}`))
        }, reject)
      })
      sent.on('error', reject).end(body)
    })
}

/** Calls `once` `times` times, at most `atOnce` calls at the same time. */
export async function manyTimes<T>(times: number, atOnce: number, once: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let begun = 0
  async function some(): Promise<void> {
    while (begun++ < times) results.push(await once())
  }
  await Promise.all(Array.from({ length: atOnce }, some))
  return results
}
