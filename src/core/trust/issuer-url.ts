/**
 * The issuer identifier of a foreign issuer: an absolute URL without query and fragment (OpenID Connect Core 1.0 §2), one slash
 * at its end dropped. Whether it may be fetched from is decided when it is.
 */
export function readIssuerUrl(text: string): string | undefined {
  if (!/^https?:\/\/[^\s?#]+$/.test(text) || !URL.canParse(text)) return undefined
  const { username, password } = new URL(text)
  return username || password ? undefined : text.replace(/\/$/, '')
}
