/** What a program asks for by the authorization endpoint, as this browser keeps it until it is answered. */
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
  /** The language that was asked for, if the pages have it. */
  language?: Language
  /** Set if the user has to sign in again: the session, '' for none, of which an answer is not accepted. */
  notSession?: string
}

/** How long somebody may take to answer. */
export const ASK_SECONDS = 900
