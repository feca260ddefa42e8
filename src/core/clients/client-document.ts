/**
 * What a client known by a URL says about itself: its client-id metadata document (draft-ietf-oauth-client-id-metadata-document),
 * whose members are those of RFC 7591 §2. This file reads one; client-documents.ts fetches and keeps them.
 */
import { isRedirectUri } from './redirect-uri.js'

export interface ClientDocument {
  /** What it calls itself, which nobody has checked. */
  readonly name: string | undefined
  /** Where an authorization response may go, compared as texts but for the port of a loopback address (RFC 8252 §7.3). */
  readonly redirectUris: readonly string[]
  /** As they are written, those that this service does not know among them. */
  readonly grantTypes: readonly string[]
}

const LONGEST_NAME = 255
/** RFC 7591 §2: what a client uses that does not say. */
const USUAL_GRANT_TYPES = ['authorization_code']

/** The document at a URL, or what is wrong with it: the rest of a sentence about it, in the characters of RFC 6749 §5.2. */
export function readClientDocument(url: string, content: unknown): ClientDocument | string {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return 'is not a JSON object'
  const document = content as Record<string, unknown>
  if (document.client_id !== url) return 'has another client_id than its URL'
  // Whoever can read the document knows everything in it.
  if ('client_secret' in document || 'client_secret_expires_at' in document) return 'has a client_secret'
  const {
    client_name: name = '',
    token_endpoint_auth_method: method = 'none',
    redirect_uris: redirectUris = [],
    grant_types: grantTypes = USUAL_GRANT_TYPES
  } = document
  if (method !== 'none') return 'has another token_endpoint_auth_method than none'
  // No store could keep half of a surrogate pair as it is.
  if (typeof name !== 'string' || name.length > LONGEST_NAME || /\p{Surrogate}/u.test(name)) {
    return `has a client_name that is not a text of ${LONGEST_NAME} characters at most`
  }
  if (!isListOfTexts(redirectUris) || !redirectUris.every(isRedirectUri)) {
    return 'has redirect_uris other than https, http on the loopback, and private-use schemes with a dot'
  }
  if (!isListOfTexts(grantTypes)) return 'has grant_types that are not a list of texts'
  return { name: name || undefined, redirectUris, grantTypes }
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
