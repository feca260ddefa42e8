/** What a program asks for by the authorization endpoint, as this browser keeps it until it is answered. */
import type { ClientMetadata } from '../../core/grants/grant.js'
import type { Language } from './texts/languages.js'

export interface Ask {
  /** Names it in the paths of this browser. */
  id: string
  /** The code that an approval makes good. The browser holds it sealed until then. */
  code: string
  askedAtMs: number
  clientId: string
  redirectUri: string
  state?: string
  scopes: readonly string[]
  resources?: readonly string[]
  codeChallenge: string
  nonce?: string
  /** What the program says about itself, in its document among others. Whoever answers is shown the same. */
  metadata: ClientMetadata
  /** The language that was asked for, if the pages have it. */
  language?: Language
  /** Set if the request that asked named no User-Agent. */
  hasNoUserAgent?: true
  /** Set if the user has to prove who they are from then on, however lately they did so (`prompt=login`, `max_age=0`, a rule). */
  reauthenticates?: true
  /** How long ago whoever answers may have proved who they are. */
  maxAgeSeconds?: number
}

/** How long somebody may take to answer. */
export const ASK_SECONDS = 900
