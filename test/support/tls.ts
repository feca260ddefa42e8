/** TLS in front of a proxy: the port it listens on, and the files that its configuration names. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from './certificates.js'

export interface Tls {
  port: number
  certificate: Certificate
}

/** Writes certificate and key, and both in one file as HAProxy wants them. Returns the paths. */
export async function writeTls(
  directory: string,
  { certificate }: Tls
): Promise<{ certificate: string; key: string; both: string }> {
  const paths = {
    certificate: join(directory, 'grantd.pem'),
    key: join(directory, 'grantd.key'),
    both: join(directory, 'both.pem')
  }
  await writeFile(paths.certificate, certificate.pem)
  await writeFile(paths.key, certificate.key)
  await writeFile(paths.both, certificate.pem + certificate.key)
  return paths
}
