/**
 * Whether a text is spelt as a JWS in compact form (RFC 7515 §7.1): three parts, each the one base64url of its bytes. Decoders accept
 * padding, white space and spare bits as well, by which one token would have many spellings.
 */
export function isCompactJws(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 3 && parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
}
