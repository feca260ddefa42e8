/**
 * The text of a refresh token: `grt_<authorized client>.<secret>.<seal>`. Each follows from the one before, the first from the
 * grant code, so that an answer that was lost can be given again although only digests are kept. The seal tells a token that
 * was once ours from one that was made up, without a look into the store: only the former can be a replay.
 */
import { isSame } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'

const FORM = /^(grt_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{24})$/
const PURPOSE = 'refresh-token'

export interface RefreshTokenTexts {
  /** The first token of an authorized client: one under each secret, the newest first. */
  first(authorizationId: string, grantCode: string): readonly string[]
  /** What a token is followed by, in the same way. */
  next(token: string): readonly string[]
  /** The authorized client that a token of ours names; undefined if it was not made here. */
  read(text: string): string | undefined
}

export function createRefreshTokenTexts(keyring: Keyring): RefreshTokenTexts {
  function derive(authorizationId: string, from: string): readonly string[] {
    return keyring.derive(PURPOSE, from).map((secret, i) => {
      const body = `grt_${authorizationId}.${secret}`
      return `${body}.${keyring.tags(PURPOSE, body)[i]}`
    })
  }

  return {
    first: (authorizationId, grantCode) => derive(authorizationId, `${authorizationId} ${grantCode}`),
    next: (token) => derive(FORM.exec(token)?.[2] ?? '', token),

    read(text) {
      const [, body, authorizationId, seal] = FORM.exec(text) ?? []
      if (body === undefined || seal === undefined) return undefined
      return keyring.tags(PURPOSE, body).some((tag) => isSame(tag, seal)) ? authorizationId : undefined
    }
  }
}

export function looksLikeRefreshToken(text: string): boolean {
  return text.startsWith('grt_')
}
