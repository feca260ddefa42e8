/** What a program asks for by the authorization endpoint, as this browser keeps it until it is answered. */
import type { Client } from '../../core/clients/client.js'
import type { ClientMetadata } from '../../core/grants/grant.js'
import { metadataOf } from '../grant-start.js'
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
  /** What the program says about itself (grant-start.ts). */
  deviceName?: string
  clientVersion?: string
  /** The language that was asked for, if the pages have it. */
  language?: Language
  /** Set if the user has to sign in again: the session, '' for none, of which an answer is not accepted. */
  notSession?: string
}

/** How long somebody may take to answer. */
export const ASK_SECONDS = 900

/** What the program says about itself, by the client and by what it asks. */
export const metadataOfAsk = ({ deviceName, clientVersion }: Ask, client: Client): ClientMetadata =>
  metadataOf(client, { hostname: deviceName, version: clientVersion })
