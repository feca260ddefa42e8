/** The URLs of issuers: by path under PUBLIC_URL, by a host under a base domain, or on a custom domain. */
export interface IssuerUrls {
  /** The `iss` of an issuer without a custom domain. */
  byDefault(issuerId: string): string
  byPath(issuerId: string): string
  byHost(host: string): string
  /** Returns the id of the issuer in a host under the base domain. */
  issuerOfHost(host: string): string | undefined
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isIssuerId(text: string): boolean {
  return UUID.test(text)
}

export function createIssuerUrls(publicUrl: string, baseDomain: string | undefined): IssuerUrls {
  const byPath = (issuerId: string) => `${publicUrl}/${issuerId}`
  const byHost = (host: string) => `https://${host}`
  return {
    byPath,
    byHost,
    byDefault: (issuerId) => (baseDomain === undefined ? byPath(issuerId) : byHost(`${issuerId}.${baseDomain}`)),
    issuerOfHost(host) {
      if (baseDomain === undefined || !host.endsWith(`.${baseDomain}`)) return undefined
      const name = host.slice(0, -baseDomain.length - 1)
      return isIssuerId(name) ? name : undefined
    }
  }
}
