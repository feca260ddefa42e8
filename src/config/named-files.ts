/** The files that the environment names. Each reader returns the content, or what is wrong with the file. */
import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Static, TSchema } from '@sinclair/typebox'
import { Errors, type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { svgFault } from './svg.js'

/** Caps the number of faults that are listed for one file. */
export const MOST_FAULTS = 50

/** What is malformed of a file: one line each, and their places in it as JSON pointers, of what was read. */
export interface Malformed {
  faults: string[]
  places: readonly string[]
  read: unknown
}

/**
 * The content, or one line per fault: the place, and what was expected there. Never the value, which could be a misplaced
 * secret. What was expected is the `expects` of that part of the schema.
 */
export function readJsonFile<T extends TSchema>(
  path: string,
  schema: T
): { content: Static<T>; faults?: undefined } | ({ content?: undefined } & Malformed) {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const faults = [error instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${codeOf(error)}`]
    return { faults, places: [''], read: undefined }
  }
  const malformed = new Map<string, string>()
  for (const error of Errors(schema, content)) {
    // TypeBox reports several errors for one place (a missing member also has the wrong type); the first one is kept.
    if (!malformed.has(error.path)) malformed.set(error.path, describe(error))
  }
  if (malformed.size > 0) {
    return { faults: [...malformed.values()].slice(0, MOST_FAULTS), places: [...malformed.keys()], read: content }
  }
  return { content: content as Static<T> }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** A fault as text, such as "clients[2].scope: expected …". */
function describe({ path, schema, type }: ValueError): string {
  const place =
    path
      .replaceAll(/\/(\d+)/g, '[$1]')
      .replaceAll('/', '.')
      .replace(/^\./, '') || 'the file'
  if (type === ValueErrorType.ObjectAdditionalProperties) return `${place}: is not known`
  if (type === ValueErrorType.ObjectRequiredProperty) return `${place}: is missing`
  return `${place}: expected ${schema.expects ?? 'something else'}`
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of a PEM file. */
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

const LARGEST_LOGO = 64 * 1024

/** The SVG of BRAND_LOGO_FILE as it stands in the file, if it draws and does nothing else. */
export function readLogoFile(path: string | undefined): { svg: string | undefined; faults: string[] } {
  if (path === undefined) return { svg: undefined, faults: [] }
  const refused = (fault: string) => ({ svg: undefined, faults: [fault] })
  let bytes: Buffer
  try {
    // Whatever is larger, or is no plain file and may never end, is not even read.
    const status = statSync(path)
    const { size } = status
    if (!status.isFile()) return refused('is no file')
    if (size > LARGEST_LOGO) return refused(`has ${size} bytes, at most ${LARGEST_LOGO} (64 KiB) are allowed`)
    bytes = readFileSync(path)
  } catch (error) {
    return refused(`cannot be read: ${error instanceof Error && 'code' in error ? error.code : error}`)
  }
  if (bytes.length > LARGEST_LOGO) return refused(`has more than ${LARGEST_LOGO} bytes (64 KiB)`)
  let svg: string
  try {
    svg = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refused('is not text in UTF-8')
  }
  const fault = svgFault(svg)
  return fault === undefined ? { svg, faults: [] } : refused(fault)
}
