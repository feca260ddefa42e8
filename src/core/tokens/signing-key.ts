/**
 * A signing key: its generation, its stored form with the private key sealed, and its public JWK (RFC 7517); and the core's
 * interfaces to what stores keys and to what signs with them.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'

export type SigningAlg = 'RS256' | 'ES256' | 'EdDSA'

/** The stored form. Everything but `sealedPrivateKey` is public. */
export interface StoredSigningKey {
  kid: string
  alg: SigningAlg
  publicJwk: JsonWebKey
  sealedPrivateKey: string
  createdAtMs: number
  /** When it begins to sign. It is published earlier, so that verifiers' cached JWK Sets contain it by then. */
  signsFromMs: number
  /** Until when its predecessors stay published: the last token that they signed has expired by then. */
  predecessorsUntilMs: number
}

/** An opened key, both halves as PEM. */
export interface SigningKey {
  kid: string
  alg: SigningAlg
  privateKey: string
  publicKey: string
}

export interface PublishedKey extends JsonWebKey {
  kid: string
  use: 'sig'
  alg: SigningAlg
}

/** The storage interface of signing keys. Every method rejects with `unavailable` when the storage cannot answer. */
export interface SigningKeyStore {
  /** All stored keys, in no particular order. */
  list(): Promise<StoredSigningKey[]>

  /**
   * A compare-and-set: if `predecessorKid` is the newest key (undefined: if there is no key), adds `next` and deletes the keys
   * named in `obsolete`. Of concurrent calls, one wins; a repeated call changes nothing. Resolves to all keys stored
   * afterwards.
   */
  succeed(predecessorKid: string | undefined, next: StoredSigningKey, obsolete: string[]): Promise<StoredSigningKey[]>

  /** Deletes all keys. */
  clear(): Promise<void>

  /** Tells the operator that a key cannot be read, and why. Returns what to reject with. */
  unreadable(why?: string): Fault
}

/** What a token must satisfy besides a valid signature and an unexpired lifetime. */
export interface ExpectedToken {
  /** The required header `typ`, compared case-insensitively. */
  typ: string
  /** The required `iss`; undefined to accept any. */
  issuer: string | undefined
  /** The names of claims that must be present. */
  claims: readonly string[]
}

/** A JWT library. The algorithm is always the key's own, never the one named by a token (RFC 8725 §3.1). */
export interface JwtSigner {
  /** Signs exactly these claims as a compact JWS (RFC 7515 §3.1); the header holds `alg`, `kid` and `typ`. */
  sign(claims: object, key: SigningKey, header: { typ: string }): string
  /**
   * The claims of a token that this key signed and that is within its lifetime (`nbf`, `exp`). Throws otherwise. It checks that
   * the required claims are present, but not their values, which the caller validates.
   */
  verify<Claims extends object>(token: string, key: SigningKey, expected: ExpectedToken): Claims
}

const generate = promisify(generateKeyPair)

/** Generates a key pair on a worker thread of libuv, because RSA would block the event loop. */
async function newKeyPair(alg: SigningAlg): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  if (alg === 'RS256') return generate('rsa', { modulusLength: 2048 })
  if (alg === 'ES256') return generate('ec', { namedCurve: 'P-256' })
  return generate('ed25519')
}

const SEALED_FOR = 'signing-key'

/** Generates a signing key in its stored form. */
export async function newSigningKey(
  alg: SigningAlg,
  keyring: Keyring,
  times: Pick<StoredSigningKey, 'createdAtMs' | 'signsFromMs' | 'predecessorsUntilMs'>
): Promise<StoredSigningKey> {
  const { privateKey, publicKey } = await newKeyPair(alg)
  const publicJwk = publicKey.export({ format: 'jwk' })
  // 96 bits of a digest of the public key: unique in practice, and reveals nothing.
  const kid = digestOf(JSON.stringify(publicJwk)).slice(0, 16)
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
  return { kid, alg, publicJwk, sealedPrivateKey: keyring.seal(SEALED_FOR, kid, pem), ...times }
}

/** The public half, as a JWK Set has it. */
export function publishedKey({ kid, alg, publicJwk }: StoredSigningKey): PublishedKey {
  return { ...publicJwk, kid, use: 'sig', alg }
}

/** Opens a stored key. Throws, naming the key, when GRANTD_SECRET does not open it. */
export function openSigningKey(stored: StoredSigningKey, keyring: Keyring): SigningKey {
  try {
    const privateKey = createPrivateKey(keyring.open(SEALED_FOR, stored.kid, stored.sealedPrivateKey))
    return {
      kid: stored.kid,
      alg: stored.alg,
      privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      publicKey: createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }) as string
    }
  } catch (cause) {
    throw new Error(`signing key ${stored.kid} cannot be opened with GRANTD_SECRET`, { cause })
  }
}
