/**
 * The id of a user in a path: as it is if every character of it is one of a path, otherwise `~` and its base64url. So no proxy and no
 * browser takes it for something else, and an id that is an e-mail address does not stand in a history in clear.
 */

import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { fault } from '../../../core/fault.js'
import { isUserId } from '../../../core/users/user.js'

export const UserPath = Type.Object({ user: Type.String() })

const PLAIN = /^[A-Za-z0-9_-]+$/

export function pathOfUser(userId: string): string {
  return PLAIN.test(userId) ? userId : `~${Buffer.from(userId).toString('base64url')}`
}

/** The user of a part of a path; undefined if no page of ours makes such a part. */
export function userOfPath(part: string): string | undefined {
  const userId = part.startsWith('~') ? Buffer.from(part.slice(1), 'base64url').toString() : part
  return isUserId(userId) && pathOfUser(userId) === part ? userId : undefined
}

/** The user whom a request is about. Throws `not_found` if its path names none. */
export function userAskedFor(request: FastifyRequest): string {
  const userId = userOfPath((request.params as { user: string }).user)
  if (userId === undefined) throw fault('not_found')
  return userId
}
