/** Where a person goes to enter a user code (RFC 8628 §3.2), as both surfaces tell it. */
export function verificationUris(verificationUri: string, userCode: string) {
  return { verification_uri: verificationUri, verification_uri_complete: `${verificationUri}?code=${userCode}` }
}
