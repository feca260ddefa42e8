/** The certificates by which servers of strangers are known. */
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'

/**
 * Options of a connection that trusts the certificates of an operator, as PEM, besides those of Node.js. To be made once: reading them
 * all takes as long as many requests. Throws for what is no PEM.
 */
export function trustedCertificates(ca: string | undefined): { secureContext?: SecureContext } {
  return ca === undefined ? {} : { secureContext: createSecureContext({ ca: [...rootCertificates, ca] }) }
}
