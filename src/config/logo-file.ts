/** Reads BRAND_LOGO_FILE, or says what is wrong with it. */
import { readFileSync, statSync } from 'node:fs'
import { svgFault } from './svg.js'

const MOST_BYTES = 64 * 1024

/** The SVG as it stands in the file, if it draws and does nothing else. */
export function readLogoFile(path: string | undefined): { svg: string | undefined; faults: string[] } {
  if (path === undefined) return { svg: undefined, faults: [] }
  const refused = (fault: string) => ({ svg: undefined, faults: [fault] })
  let bytes: Buffer
  try {
    // Whatever is larger, or is no plain file and may never end, is not even read.
    const status = statSync(path)
    const { size } = status
    if (!status.isFile()) return refused('is no file')
    if (size > MOST_BYTES) return refused(`has ${size} bytes, at most ${MOST_BYTES} (64 KiB) are allowed`)
    bytes = readFileSync(path)
  } catch (error) {
    return refused(`cannot be read: ${error instanceof Error && 'code' in error ? error.code : error}`)
  }
  if (bytes.length > MOST_BYTES) return refused(`has more than ${MOST_BYTES} bytes (64 KiB)`)
  let svg: string
  try {
    svg = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refused('is not text in UTF-8')
  }
  const fault = svgFault(svg)
  return fault === undefined ? { svg, faults: [] } : refused(fault)
}
