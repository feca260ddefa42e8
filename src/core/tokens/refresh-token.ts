/**
 * The text of a refresh token: `grt_<authorization id>.<secret>.<seal>`. The secret of each token is derived from the token
 * before it, that of the first from the grant code, so that a lost answer can be repeated although only digests are stored. The
 * seal is a keyed tag that proves, without a storage call, that a token was issued here: a forged one is no replay.
 */
import { isSame } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'

const FORM = /^(grt_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{24})$/
const PURPOSE = 'refresh-token'

export interface RefreshTokenTexts {
  /** The first token of an authorization: one candidate per secret of GRANTD_SECRET, in the order of that list. */
  first(authorizationId: string, grantCode: string): readonly string[]
  /** The token that follows a token, again one candidate per secret. */
  next(token: string): readonly string[]
  /** The authorization id in a token; undefined if the token was not issued here. */
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
