/** Turns whatever a request failed with into a fault of the closed list. What the framework says of the input stays private. */
import type { FastifyRequest } from 'fastify'
import { type Fault, type FaultCode, fault, isFault } from '../core/fault.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set where clients poll. */
    isPolled?: boolean
  }
}

/** The least Retry-After of a fault that names none: short enough for a person who waits. */
const LEAST_RETRY_SECONDS = 2

interface Validation {
  instancePath: string
  message?: string
  params: Record<string, unknown>
}

interface FrameworkError extends Error {
  code?: string
  statusCode?: number
  validation?: Validation[]
}

const CODES: Readonly<Record<number, FaultCode>> = {
  400: 'invalid_request',
  404: 'not_found',
  408: 'request_timeout',
  413: 'payload_too_large',
  414: 'invalid_request',
  415: 'unsupported_media_type'
}

export function toFault(error: unknown): Fault {
  if (isFault(error)) return error
  const { validation, statusCode = 500, code, message } = error as FrameworkError
  if (validation) return fault('invalid_request', { hint: describe(validation) })
  const known = CODES[statusCode]
  if (!known) return fault('internal', { detail: message, cause: error })
  const hint = known === 'invalid_request' ? 'The request cannot be read' : undefined
  return fault(known, { detail: code ?? message, ...(hint && { hint }), cause: error })
}

/**
 * The Retry-After of an answer. A fault that names none has some seconds at random, from the least to twice as many, so that those who
 * are refused together do not come back together. To a client that polls, less than its interval would say nothing.
 */
export function retryAfterOf({ retryAfterSeconds }: Fault, request: FastifyRequest, random = Math.random): number {
  if (retryAfterSeconds !== undefined) return retryAfterSeconds
  const interval = request.routeOptions.config?.isPolled ? request.server.config.pollIntervalSeconds : 0
  const least = Math.max(LEAST_RETRY_SECONDS, interval)
  return least + Math.floor(random() * (least + 1))
}

/** One line for the log, with what the caller is not told. */
export function logFault(
  { code, detail, cause }: Fault,
  thrown: unknown,
  status: number,
  request: FastifyRequest
): void {
  // There are very many of these, and plugins/overload.ts logs one line for all of them.
  const level = code === 'overloaded' ? 'debug' : status === 500 ? 'error' : status > 500 ? 'warn' : 'info'
  request.log[level]({ reqId: request.id, code, detail, ...(status === 500 && { err: cause ?? thrown }) }, 'refused')
}

/** "grant_code is missing", "client_metadata.name must NOT have more than 255 characters". Never the value itself. */
function describe([first]: Validation[]): string {
  if (!first) return 'The request is not valid'
  const path = first.instancePath.split('/').slice(1)
  const missing = first.params.missingProperty
  if (typeof missing === 'string') return `${[...path, missing].join('.')} is missing`
  const subject = path.join('.') || 'The body'
  return `${subject} ${first.message ?? 'is not valid'}`
}
