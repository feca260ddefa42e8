/** Reads a PEM file of certificates that the environment names, or says what is wrong with it. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

export function readPemFile(path: string | undefined): { pem: string | undefined; faults: string[] } {
  if (path === undefined) return { pem: undefined, faults: [] }
  try {
    const pem = readFileSync(path, 'utf8')
    const certificates = pem.match(CERTIFICATE) ?? []
    for (const certificate of certificates) new X509Certificate(certificate)
    return certificates.length > 0 ? { pem, faults: [] } : { pem: undefined, faults: ['holds no certificate'] }
  } catch (error) {
    const isUnread = error instanceof Error && 'syscall' in error
    return { pem: undefined, faults: [isUnread ? 'cannot be read' : 'holds a certificate that is none'] }
  }
}
