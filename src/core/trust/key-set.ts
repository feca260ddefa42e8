/**
 * A JWK Set that somebody else publishes (RFC 7517 §5), and the verification of their JWTs by it. A `kid` is a hint (RFC 7515
 * §4.1.4), so every key that fits the header of a token is tried. kept-key-sets.ts says how long a set is held.
 */
import { decodeProtectedHeader, errors, importJWK, type JWTVerifyOptions, type JWTVerifyResult, jwtVerify } from 'jose'

/** Caps the signature checks that a forged token costs. */
const MOST_TRIED = 16
/** Caps what one set costs to hold and to import. The keys after these are not used. */
const MOST_KEYS = 100
/** What a key takes beside its texts once it is imported, as measured with RSA. */
const BYTES_OF_A_KEY = 8_192
const RSA_BITS = { least: 2_048, most: 8_192 }
/** Characters of base64url: the largest modulus, and an exponent of six bytes. Larger ones take long to verify with. */
const LONGEST = { n: 1_368, e: 8, point: 128 }

export type VerifyOptions = JWTVerifyOptions & { algorithms: string[] }

export interface KeySet {
  /** What it takes in memory, in bytes, rather too many than too few. */
  size: number
  /**
   * Verifies a JWT with the keys that fit it, in turn. Rejects with an error of jose: JWKSNoMatchingKey if none fits,
   * JWSSignatureVerificationFailed if none verifies it, JWKSMultipleMatchingKeys if more fit than are tried and none of
   * those verifies it, otherwise the one that says what is wrong with the token.
   */
  verify(token: string, options: VerifyOptions): Promise<JWTVerifyResult>
}

/** Whether a newer set of keys could verify the token that this error was about. */
export function wantsAnotherKey(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSMultipleMatchingKeys
  )
}

type Members = Readonly<Record<string, unknown>>
type PublicKey = Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>

interface PublishedKey {
  size: number
  kid: string | undefined
  /** What makes the key the key that it is, so that one which is published twice is tried once. */
  material: string
  fits(alg: string): boolean
  /** Undefined if it is no key that the algorithm can be used with. */
  keyFor(alg: string): Promise<PublicKey | undefined>
}

/** Throws unless the document is a JWK Set. Members of `keys` that cannot be used are left out (RFC 7517 §5). */
export function readKeySet(document: unknown): KeySet {
  const members = isObject(document) ? document.keys : undefined
  if (!Array.isArray(members)) throw new Error('an answer that is no JWK Set')
  const objects = members.filter(isObject)
  if (objects.length === 0 && members.length > 0) throw new Error('an answer that is no JWK Set')
  const keys = objects.filter(isPublicKey).slice(0, MOST_KEYS).map(publishedKey)

  /** The keys of this kid, and after them those without one. A token without `kid` may be signed by any key. */
  function* candidates({ alg, kid }: { alg: string; kid: unknown }): Generator<PublishedKey> {
    const fitting = keys.filter((key) => key.fits(alg))
    const named = kid === undefined ? [] : fitting.filter((key) => key.kid === kid)
    const others = kid === undefined ? fitting : fitting.filter((key) => key.kid === undefined)
    const seen = new Set<string>()
    for (const key of [...named, ...others]) {
      if (!seen.has(key.material)) yield key
      seen.add(key.material)
    }
  }

  return {
    size: keys.reduce((sum, key) => sum + key.size, 0),

    async verify(token, options) {
      const { alg, kid }: { alg?: unknown; kid?: unknown } = decodeProtectedHeader(token)
      if (typeof alg !== 'string') throw new errors.JWSInvalid('"alg" is no string')
      if (!options.algorithms.includes(alg)) throw new errors.JOSEAlgNotAllowed('an algorithm that is not accepted')
      if (kid !== undefined && typeof kid !== 'string') throw new errors.JWKSNoMatchingKey()
      let tried = 0
      for (const candidate of candidates({ alg, kid })) {
        const key = await candidate.keyFor(alg)
        if (!key) continue
        if (tried++ === MOST_TRIED) throw new errors.JWKSMultipleMatchingKeys()
        try {
          return await jwtVerify(token, key, options)
        } catch (error) {
          if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
        }
      }
      throw tried > 0 ? new errors.JWSSignatureVerificationFailed() : new errors.JWKSNoMatchingKey()
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a JWK is of a kind that is used here, complete, and no larger than one verifies with in reasonable time. */
function isPublicKey(jwk: Members): boolean {
  const has = (longest: number, ...names: string[]) =>
    names.every((name) => typeof jwk[name] === 'string' && jwk[name].length <= longest)
  // Whoever publishes a private key has lost it.
  if (isGiven(jwk.d)) return false
  if (isGiven(jwk.alg) && typeof jwk.alg !== 'string') return false
  if (jwk.kty === 'RSA') return has(LONGEST.n, 'n') && has(LONGEST.e, 'e')
  if (jwk.kty === 'EC') return has(LONGEST.point, 'crv', 'x', 'y')
  return jwk.kty === 'OKP' && has(LONGEST.point, 'crv', 'x')
}

/** A member that is null counts as absent. */
const isGiven = (value: unknown) => value !== undefined && value !== null

function publishedKey(jwk: Members): PublishedKey {
  const { kty, crv, n, e, x, y, kid, alg: onlyAlg, use, key_ops: operations } = jwk as Record<string, string>
  const material = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x }
  const isForSignatures =
    (!isGiven(use) || use === 'sig') &&
    (!isGiven(operations) || (Array.isArray(operations) && operations.includes('verify')))
  const text = JSON.stringify(material)
  // What else an RSA key may say is not held, because nothing bounds it.
  const curve = kty === 'RSA' ? undefined : crv
  const texts = [text, text, kid, onlyAlg].filter((one) => typeof one === 'string')
  /** For one algorithm at a time, since a key is hardly used with two. */
  let imported: { alg: string; key: Promise<PublicKey | undefined> } | undefined

  return {
    size: BYTES_OF_A_KEY + texts.reduce((sum, { length }) => sum + 2 * length, 0),
    kid: typeof kid === 'string' ? kid : undefined,
    material: text,
    fits: (alg) =>
      isForSignatures && isKindFor(alg, kty, curve) && (!isGiven(onlyAlg) || nameOf(onlyAlg) === nameOf(alg)),
    keyFor(alg) {
      if (imported?.alg !== alg) imported = { alg, key: importKey(material as Record<string, string>, alg) }
      return imported.key
    }
  }
}

/** EdDSA with this curve, the only one of its kind in use here, is also called Ed25519 (RFC 9864 §2.2). */
const nameOf = (alg: unknown) => (alg === 'Ed25519' ? 'EdDSA' : alg)

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

function isKindFor(alg: string, kty: string | undefined, crv: string | undefined): boolean {
  if (/^[RP]S(256|384|512)$/.test(alg)) return kty === 'RSA'
  if (nameOf(alg) === 'EdDSA') return kty === 'OKP' && crv === 'Ed25519'
  return kty === 'EC' && Object.hasOwn(CURVES, alg) && crv === CURVES[alg]
}

async function importKey(jwk: Record<string, string>, alg: string): Promise<PublicKey | undefined> {
  try {
    const key = (await importJWK(jwk, alg)) as PublicKey
    const bits = 'modulusLength' in key.algorithm ? Number(key.algorithm.modulusLength) : undefined
    return bits !== undefined && (bits < RSA_BITS.least || bits > RSA_BITS.most) ? undefined : key
  } catch {
    // The members are no key, such as a point that is not on its curve.
    return undefined
  }
}
