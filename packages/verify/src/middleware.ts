/**
 * Functions of (request, response, next), for Express and whatever takes its middleware, and for node:http by itself. They touch no more
 * of a request and a response than these types say.
 */
import { isVerifyError, type VerifyError } from './errors.js'
import { checkScope } from './options.js'
import { METADATA_HEADERS } from './resource-metadata.js'
import type { AccessTokenClaims, Requirements, Verifier } from './verifier.js'

export interface IncomingRequest {
  method?: string | undefined
  url?: string | undefined
  headers: { authorization?: string | undefined }
  /** The claims of the token, once it was accepted. */
  token?: AccessTokenClaims | undefined
}

export interface OutgoingResponse {
  writeHead(status: number, headers: Record<string, string>): unknown
  end(body?: string): unknown
}

export type Next = (error?: unknown) => unknown

export type Middleware = (request: IncomingRequest, response: OutgoingResponse, next: Next) => Promise<void>

/**
 * Lets a request on only with a token that counts, whose claims it leaves in `request.token`; answers any other by itself. What `next`
 * throws is not caught. Throws a TypeError at once for what is no scope.
 */
export function requireToken(verifier: Verifier, requirements?: Requirements): Middleware {
  checkScope(requirements?.scope)
  return async (request, response, next) => {
    let claims: AccessTokenClaims
    try {
      claims = await verifier.authenticate(request.headers.authorization, requirements)
    } catch (error) {
      if (!isVerifyError(error)) return void next(error)
      return sendError(response, error)
    }
    request.token = claims
    next()
  }
}

/** Serves the metadata of RFC 9728 at its address, and lets all other requests on. */
export function serveMetadata({ metadata }: Verifier): Middleware {
  const path = metadata?.path.split('?')[0]
  const body = JSON.stringify(metadata?.document)
  return async (request, response, next) => {
    const isAsked =
      path !== undefined && request.url?.split('?')[0] === path && /^(GET|HEAD)$/.test(request.method ?? '')
    if (!isAsked) return void next()
    response.writeHead(200, METADATA_HEADERS)
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}

/** Sends what `verify` rejected with as an answer. */
export function sendError(response: OutgoingResponse, { status, headers, body }: VerifyError): void {
  const text = Object.keys(body).length > 0 ? JSON.stringify(body) : undefined
  response.writeHead(status, text === undefined ? headers : { ...headers, 'content-type': 'application/json' })
  response.end(text)
}
