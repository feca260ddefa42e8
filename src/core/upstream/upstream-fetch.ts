/**
 * How providers are fetched from: no redirects, and no answer larger than any of theirs has reason to be. Answers to a refresh
 * are tidied: by then the old refresh token may be spent, so what is wrong beside the new tokens must not cost them.
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

/** Without members that are not what RFC 6749 §5.1 says, and without an ID token, which nobody reads here. */
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
