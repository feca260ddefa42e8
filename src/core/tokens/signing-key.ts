/** A signing key: its generation, its stored form with the private key sealed, and its public JWK (RFC 7517). */
import { createPrivateKey, createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
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
