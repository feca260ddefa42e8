/** How providers are fetched from: no redirects, and no answer larger than any of theirs has reason to be. */
import type { CustomFetch } from 'openid-client'

const LARGEST_ANSWER = 1024 * 1024

export function createProviderFetch(): CustomFetch {
  return async (url, options) => {
    const answer = await fetch(url, { ...options, redirect: 'manual' } as RequestInit)
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body ?? []) {
      size += chunk.byteLength
      if (size > LARGEST_ANSWER) throw new Error(`an answer of more than ${LARGEST_ANSWER} bytes`)
      chunks.push(chunk)
    }
    const body = size === 0 ? null : Buffer.concat(chunks)
    return new Response(body, { status: answer.status, statusText: answer.statusText, headers: answer.headers })
  }
}
