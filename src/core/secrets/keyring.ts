/**
 * Cryptography under GRANTD_SECRET: encryption (AES-256-GCM, "sealing"), keyed tags and derived secrets (HMAC-SHA-256).
 * The secret is a list: the first one encrypts, all of them decrypt, so that it can be rotated without losing anything.
 * Each purpose has its own keys (HKDF), so that a value made for one purpose is useless for another.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { digestOf } from './digest.js'

export interface Keyring {
  /** Encrypts `text` under the first secret. Purpose and record are associated data: `open` needs the same ones. */
  seal(purpose: string, record: string, text: string): string
  /** Decrypts a sealed text. Throws if none of the secrets sealed it, or it was changed or sealed for another record. */
  open(purpose: string, record: string, sealed: string): string
  /** Keyed tags of a guessable value, one per secret, 24 base64url characters each. Store the first; look up all of them. */
  tags(purpose: string, value: string): readonly string[]
  /** Secrets derived from a value, one per secret, 43 base64url characters each. The value alone does not reveal them. */
  derive(purpose: string, value: string): readonly string[]
}

const VERSION = 'v1'

/** `secrets` must not be empty, and each must have at least 32 characters: the configuration checks both. */
export function createKeyring(secrets: readonly string[]): Keyring {
  const derived = new Map<string, Buffer>()
  const keyFor = (secret: string, purpose: string) => {
    const name = `${digestOf(secret)} ${purpose}`
    const key = derived.get(name) ?? Buffer.from(hkdfSync('sha256', secret, '', `grantd ${purpose}`, 32))
    derived.set(name, key)
    return key
  }
  const idOf = (secret: string) => digestOf(`grantd secret id ${secret}`).slice(0, 8)
  const newest = secrets[0] as string
  const macs = (use: string, value: string) =>
    secrets.map((secret) => createHmac('sha256', keyFor(secret, use)).update(value).digest('base64url'))

  return {
    seal(purpose, record, text) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keyFor(newest, `seal ${purpose}`), nonce)
      cipher.setAAD(Buffer.from(`${VERSION} ${purpose} ${record}`))
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return [VERSION, idOf(newest), nonce.toString('base64url'), sealed.toString('base64url')].join('.')
    },

    open(purpose, record, sealed) {
      const [version, id, nonce = '', body = '', ...more] = sealed.split('.')
      const secret = secrets.find((candidate) => idOf(candidate) === id)
      if (version !== VERSION || more.length > 0 || !secret)
        throw new Error(`sealed under a secret that GRANTD_SECRET does not hold`)
      const bytes = readBase64url(body)
      const decipher = createDecipheriv('aes-256-gcm', keyFor(secret, `seal ${purpose}`), readBase64url(nonce), {
        // Node.js would otherwise accept a truncated authentication tag.
        authTagLength: 16
      })
      decipher.setAAD(Buffer.from(`${VERSION} ${purpose} ${record}`))
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8')
    },

    tags: (purpose, value) => macs(`tag ${purpose}`, value).map((mac) => mac.slice(0, 24)),
    derive: (purpose, value) => macs(`derive ${purpose}`, value)
  }
}

/** Node.js itself skips characters and bits that make no byte, so that many texts would be read as the same bytes. */
function readBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new Error('a sealed text was changed')
  return bytes
}
