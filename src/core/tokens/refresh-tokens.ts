/**
 * Refresh tokens: their texts, and the current one of an authorization; refresh-family.ts has the rules by which they rotate. A
 * text is `grt_<authorization id>.<secret>.<seal>`. The secret of each token is derived from the token
 * before it, that of the first from the grant code, so that a lost answer can be repeated although only digests are stored. The
 * seal is a keyed tag that proves, without a storage call, that a token was issued here: a forged one is no replay.
 */
import type { Authorization } from '../authorizations/authorization.js'
import { fault } from '../fault.js'
import { digestOf, isSame } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import { REMEMBERED, type RefreshFamilyStore } from './refresh-family.js'

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

export interface RefreshTokens {
  /** The current token of an authorization that is collected with this grant code. Rejects with `unavailable`. */
  issue(authorization: Authorization, grantCode: string): Promise<string>
  /** The authorization of a genuine token, if `find` has one, and whether the token is the current one. */
  open(
    token: string,
    find: (userId: string, authorizationId: string) => Promise<Authorization | undefined>
  ): Promise<{ authorization: Authorization; isCurrent: boolean } | undefined>
  /** Replaces a genuine token. `replayed`: it had been replaced before. Rejects with `unavailable`. */
  rotate(
    authorization: Authorization,
    token: string
  ): Promise<{ kind: 'rotated'; current: string } | { kind: 'replayed' | 'invalid' }>
}

export function createRefreshTokens(texts: RefreshTokenTexts, families: RefreshFamilyStore): RefreshTokens {
  /** The family's current token, found by deriving successors from a recent one until the digest matches. */
  function currentOf(digest: string, from: readonly string[]): string {
    let tokens = from
    for (let step = 0; step <= REMEMBERED; step++) {
      const current = tokens.find((token) => digestOf(token) === digest)
      if (current) return current
      tokens = tokens.flatMap(texts.next)
    }
    // Another instance derived it under a secret that this one does not have yet: a retry may reach an instance that does.
    throw fault('unavailable', { detail: 'the current refresh token is out of reach' })
  }

  return {
    async issue(authorization, grantCode) {
      const tokens = texts.first(authorization.id, grantCode)
      const first = { userId: authorization.userId, currentDigest: digestOf(tokens[0] as string) }
      const { currentDigest } = await families.begin(authorization.id, first, authorization.expiresAtMs)
      return currentOf(currentDigest, tokens)
    },

    async open(token, find) {
      const id = texts.read(token)
      if (id === undefined) return undefined
      const family = await families.find(id)
      if (!family) return undefined
      const authorization = await find(family.userId, id)
      return authorization && { authorization, isCurrent: family.currentDigest === digestOf(token) }
    },

    async rotate({ id }, token) {
      const followers = texts.next(token)
      const rotation = await families.rotate(id, digestOf(token), digestOf(followers[0] as string))
      if (rotation.kind === 'replayed') return { kind: 'replayed' }
      if (rotation.kind !== 'rotated' && rotation.kind !== 'repeated') return { kind: 'invalid' }
      return { kind: 'rotated', current: currentOf(rotation.currentDigest, followers) }
    }
  }
}
