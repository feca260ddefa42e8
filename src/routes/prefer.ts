/** The Prefer header (RFC 7240), of which only `wait` means something here. */

/** Nobody prefers so much; and to read a quoted text that never ends takes longer the longer it is. */
const LONGEST = 256
/** A preference up to the next comma that is not quoted. */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g
const NAME = /^\s*([^\s=;]+)/
const WAIT = /^\s*wait\s*=\s*(?:(\d{1,9})|"(\d{1,9})")\s*(?:;|$)/i

/** The seconds a client wants to wait at most. Undefined if it does not say, or not in a way that can be understood. */
export function readWaitSeconds(header: string): number | undefined {
  if (header.length > LONGEST) return undefined
  for (const [preference] of header.matchAll(PREFERENCE)) {
    // RFC 7240 §2: of a preference that is repeated, the first one counts.
    if (NAME.exec(preference)?.[1]?.toLowerCase() !== 'wait') continue
    const [, plain, quoted] = WAIT.exec(preference) ?? []
    const seconds = plain ?? quoted
    return seconds === undefined ? undefined : Number(seconds)
  }
  return undefined
}
