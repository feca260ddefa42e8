/**
 * Makes X.509 certificates (RFC 5280), which node:crypto reads but does not make: an authority, certificates it issues,
 * and forgeries of both. Keys are P-256, which are fast to make.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { isIPv4 } from 'node:net'

export interface Certificate {
  pem: string
  privateKey: KeyObject
  /** The key as PEM, as node:tls takes it. */
  key: string
  /** The common name of the subject. */
  name: string
  /** Fingerprints in lower case, without colons. */
  sha1: string
  sha256: string
}

export interface CertificateParts {
  name: string
  /** The issuer that signs; without one the certificate is self-signed. */
  issuer?: Pick<Certificate, 'name' | 'privateKey'>
  /** Certifies this foreign key instead of a new one. */
  publicKey?: KeyObject
  /** The host names and addresses of a server certificate. Without them the certificate is an authority. */
  hosts?: readonly string[]
  /** The end of validity, by default in a year. */
  notAfter?: Date
}

const DAY_MS = 86_400_000

export function makeCertificate({ name, issuer, hosts, notAfter, ...parts }: CertificateParts): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = issuer ?? { name, privateKey }
  const content = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    nameOf(signer.name),
    sequence(time(new Date(Date.now() - DAY_MS)), time(notAfter ?? new Date(Date.now() + 365 * DAY_MS))),
    nameOf(name),
    (parts.publicKey ?? publicKey).export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(...(hosts ? [extension('551d11', alternativeNames(hosts))] : [BASIC_CONSTRAINTS])))
  )
  const signature = sign('sha256', content, signer.privateKey)
  const bytes = sequence(content, ECDSA_WITH_SHA256, der(0x03, Buffer.of(0), signature))
  const digest = (hash: string) => createHash(hash).update(bytes).digest('hex')
  return {
    pem: new X509Certificate(bytes).toString(),
    privateKey,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    name,
    sha1: digest('sha1'),
    sha256: digest('sha256')
  }
}

/** Encodes a value of ASN.1 in DER (X.690): tag, length, content. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const prefix = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...prefix), content])
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const integer = (bytes: Buffer) => der(0x02, bytes)
const identifier = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
/** GeneralizedTime, such as `20261125170042Z`, which unlike UTCTime has years of four digits. */
const time = (date: Date) => der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\..*/g, '')}Z`))
const nameOf = (text: string) => sequence(der(0x31, sequence(identifier('550403'), der(0x0c, Buffer.from(text)))))
const extension = (id: string, value: Buffer) => sequence(identifier(id), der(0x04, value))
const alternativeNames = (hosts: readonly string[]) =>
  sequence(
    ...hosts.map((host) =>
      isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host))
    )
  )

const ECDSA_WITH_SHA256 = sequence(identifier('2a8648ce3d040302'))
/** The extension is critical and says `cA: true`. */
const BASIC_CONSTRAINTS = sequence(
  identifier('551d13'),
  der(0x01, Buffer.of(0xff)),
  der(0x04, sequence(der(0x01, Buffer.of(0xff))))
)
