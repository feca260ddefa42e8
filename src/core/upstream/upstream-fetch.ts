/**
 * The fetch function for upstreams: it follows no redirects and caps the size of answers. It also repairs malformed answers to
 * a refresh: the old refresh token may be spent by then, so rejecting the answer would lose the new tokens.
 */
import type { CustomFetch } from 'openid-client'

const LARGEST_ANSWER = 1024 * 1024

export function createUpstreamFetch(): CustomFetch {
  return async (url, options) => {
    const answer = await fetch(url, { ...options, redirect: 'manual' } as RequestInit)
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body ?? []) {
      size += chunk.byteLength
      if (size > LARGEST_ANSWER) throw new Error(`an answer of more than ${LARGEST_ANSWER} bytes`)
      chunks.push(chunk)
    }
    const whole = Buffer.concat(chunks)
    const body = size === 0 ? null : isRefresh(options.body) ? tidy(whole) : whole
    return new Response(body, { status: answer.status, statusText: answer.statusText, headers: answer.headers })
  }
}

function isRefresh(body: unknown): boolean {
  return body instanceof URLSearchParams && body.get('grant_type') === 'refresh_token'
}

/**
 * Makes a token answer acceptable to openid-client (RFC 6749 §5.1): drops null members, an `expires_in` that is no number and a
 * `scope` that is no text, joins a list of scopes, and drops the ID token, which a refresh does not need.
 */
function tidy(whole: Buffer): Buffer<ArrayBuffer> | string {
  let answer: Record<string, unknown>
  try {
    answer = JSON.parse(whole.toString('utf8'))
  } catch {
    return Buffer.from(whole)
  }
  if (typeof answer?.access_token !== 'string') return Buffer.from(whole)
  const { id_token: _unread, expires_in: life, scope, ...rest } = answer
  const members = Object.entries(rest).filter(([, value]) => value !== null)
  const words = Array.isArray(scope) ? scope.filter((word) => typeof word === 'string').join(' ') : scope
  return JSON.stringify({
    ...Object.fromEntries(members),
    ...(Number(life) >= 0 && life !== null && { expires_in: Number(life) }),
    ...(typeof words === 'string' && { scope: words })
  })
}
