/**
 * What is kept under GRANTD_SECRET: sealing (AES-256-GCM) and keyed tags (HMAC-SHA-256).
 * The secret is a list: the first one writes, all of them read, so that it can be rotated without losing anything.
 * Each purpose has keys of its own (HKDF), so that what was made for one use is worthless in another.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { digestOf } from './digest.js'

export interface Keyring {
  /** Encrypts `text`; it can only be opened again for the same purpose and the same record. */
  seal(purpose: string, record: string, text: string): string
  /** The text that was sealed. Throws when it was sealed under none of the secrets, for another record, or changed. */
  open(purpose: string, record: string, sealed: string): string
  /** Keyed tags of a guessable value, 24 base64url characters each: the first is the one to store, all are to be looked up. */
  tags(purpose: string, value: string): readonly string[]
  /** Secrets that follow from a value and cannot be guessed from it, 43 base64url characters each: one under each secret. */
  derive(purpose: string, value: string): readonly string[]
}

const VERSION = 'v1'

/** Builds the keyring. `secrets` is not empty; each has at least 32 characters. */
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
      const bytes = Buffer.from(body, 'base64url')
      const decipher = createDecipheriv(
        'aes-256-gcm',
        keyFor(secret, `seal ${purpose}`),
        Buffer.from(nonce, 'base64url'),
        {
          // Without it a tag that was cut short would do.
          authTagLength: 16
        }
      )
      decipher.setAAD(Buffer.from(`${VERSION} ${purpose} ${record}`))
      decipher.setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8')
    },

    tags: (purpose, value) => macs(`tag ${purpose}`, value).map((mac) => mac.slice(0, 24)),
    derive: (purpose, value) => macs(`derive ${purpose}`, value)
  }
}
