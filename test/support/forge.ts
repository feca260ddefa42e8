/** JWTs that are not what they say. */
import { createHmac } from 'node:crypto'

export const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A JWT of any header and payload, signed by whatever is given. */
export function forge(header: unknown, payload: unknown, sign: (text: Buffer) => Buffer | string): string {
  const text = `${base64url(header)}.${base64url(payload)}`
  const signature = sign(Buffer.from(text))
  return `${text}.${typeof signature === 'string' ? signature : signature.toString('base64url')}`
}

export const hmac =
  (key: string | Buffer, hash = 'sha256') =>
  (text: Buffer) =>
    createHmac(hash, key).update(text).digest()
