/**
 * Lists on the wire: in pages where a page is asked for, and whole otherwise, put together piece by piece. A cursor is sealed for
 * the list it was made for, so that nobody reads anything in it, and it leads into no other list.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fault } from '../core/fault.js'
import type { List, ListOptions } from '../core/records/batches.js'
import type { Position } from '../core/records/record-store.js'
import type { Turns } from '../core/records/turns.js'
import type { App } from './app.js'

const PURPOSE = 'cursor'
/** The page where a cursor comes without a limit. */
export const USUAL_LIMIT = 50
/** A whole list is read and serialized in pieces of this many. */
const PIECE = 50

/** Names a list among all lists: the path of its records, by kinds and ids. Kinds differ between surfaces, for ids may not. */
export type ListName = readonly [kind: string, ...ids: string[]]

/** What a request may say of the page it wants, as its schema has checked it. */
export interface PageQuery {
  limit?: string
  cursor?: string
}

export interface Cursors {
  write(list: ListName, position: Position): string
  /** The position of a cursor that was made for this list. Rejects anything else with `invalid_request`. */
  read(list: ListName, cursor: string): Position
}

export function createCursors({ keyring }: App['core']): Cursors {
  return {
    write: (list, position) => keyring.seal(PURPOSE, JSON.stringify(list), position),

    read(list, cursor) {
      try {
        return keyring.open(PURPOSE, JSON.stringify(list), cursor)
      } catch {
        throw fault('invalid_request', { hint: 'The cursor is not one of this list' })
      }
    }
  }
}

/** What a request asks for; undefined if it wants the whole list. */
export function readPageQuery(cursors: Cursors, list: ListName, { limit, cursor }: PageQuery): ListOptions | undefined {
  if (limit === undefined && cursor === undefined) return undefined
  return {
    most: limit === undefined ? USUAL_LIMIT : Number(limit),
    after: cursor === undefined ? undefined : cursors.read(list, cursor)
  }
}

export interface WireList<T> {
  /** A cursor of another list is not valid here. */
  name: ListName
  read(options: ListOptions): Promise<List<T>>
  render(item: T): unknown
}

export type AnswerList = <T>(request: FastifyRequest, reply: FastifyReply, list: WireList<T>) => Promise<FastifyReply>

/**
 * Answers with a JSON array. A page names the next one in a Link header (RFC 8288), relative to its own address. A whole list is
 * serialized as it is read, so that its length costs time, but none of it at a stretch; `turns` bounds how many are held at once.
 */
export function createListAnswers(
  cursors: Cursors,
  turns: Turns,
  ownerOf: (request: FastifyRequest) => string
): AnswerList {
  return async (request, reply, list) => {
    const options = readPageQuery(cursors, list.name, request.query as PageQuery)
    if (!options) return turns(ownerOf(request), () => answerWhole(reply, list))
    const { items, next } = await list.read(options)
    if (next !== undefined) {
      const query = new URLSearchParams({ limit: `${options.most}`, cursor: cursors.write(list.name, next) })
      reply.header('link', `<?${query}>; rel="next"`)
    }
    return reply.send(items.map(list.render))
  }
}

async function answerWhole<T>(reply: FastifyReply, { read, render }: WireList<T>): Promise<FastifyReply> {
  const pieces: string[] = []
  let after: Position | undefined
  do {
    const { items, next } = await read({ most: PIECE, after })
    if (items.length > 0) pieces.push(serialize(reply, items.map(render)).slice(1, -1))
    after = next
  } while (after !== undefined)
  return sendJson(reply, `[${pieces.join(',')}]`)
}

/** Sends `{"data": rows, …rest}`, whose rows may be many: they are serialized in pieces, with other requests in between. */
export async function sendData(
  reply: FastifyReply,
  rows: readonly unknown[],
  rest: object = {}
): Promise<FastifyReply> {
  const pieces: string[] = []
  for (let first = 0; first < rows.length; first += PIECE) {
    if (first > 0) await nextTurn()
    pieces.push(serialize(reply, { data: rows.slice(first, first + PIECE) }).slice('{"data":['.length, -']}'.length))
  }
  const members = JSON.stringify(rest).slice(1, -1)
  return sendJson(reply, `{"data":[${pieces.join(',')}]${members && ','}${members}}`)
}

/** By the schema of the answer. */
const serialize = (reply: FastifyReply, value: object) =>
  reply.serializeInput(value as Record<string, unknown>, '200') as string

/** As bytes, because Fastify would serialize a text once more. */
function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(Buffer.from(text))
}
