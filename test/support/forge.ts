/** Makes forged JWTs. */
import { createHmac } from 'node:crypto'

export const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Makes a JWT of any header and payload, signed by the given function. */
export function forge(header: unknown, payload: unknown, sign: (text: Buffer) => Buffer | string): string {
  const text = `${base64url(header)}.${base64url(payload)}`
  const signature = sign(Buffer.from(text))
  return `${text}.${typeof signature === 'string' ? signature : signature.toString('base64url')}`
}

export const hmac =
  (key: string | Buffer, hash = 'sha256') =>
  (text: Buffer) =>
    createHmac(hash, key).update(text).digest()
