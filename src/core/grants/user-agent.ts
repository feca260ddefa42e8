/**
 * A name for a program that says nothing about itself, made of the User-Agent header (RFC 9110 §10.1.5) that it sends all the same: so
 * that two logins of one stock client can be told apart. It is a claim as any other.
 */

/** Caps the work of the patterns below, and what is kept. */
const LONGEST_HEADER = 512
const LONGEST_WORD = 40

/** All browsers begin like this. What a page has sent says nothing of the program that is to get the tokens. */
const BROWSER = /^(?:mozilla|opera)\//i
const URLS = /\bhttps?:\/\/\S+/gi
/** A token of RFC 9110 §5.6.2. */
const WORD = /^[\w!#$%&'*+.^`|~-]+$/
const VERSION = /^v?\d[\w.+-]*$/
/** Some programs have a name of several words, such as "GitHub CLI 2.40.1". */
const MOST_WORDS = 3

/** Android before Linux, which it names as well. */
const PLATFORMS: readonly (readonly [RegExp, string])[] = [
  [/\bandroid\b/i, 'Android'],
  [/\b(?:iphone|ipad|ios)\b/i, 'iOS'],
  [/\b(?:darwin|mac ?os(?: ?x)?|macintosh)\b/i, 'macOS'],
  [/\b(?:windows|win(?:32|64))\b/i, 'Windows'],
  [/\b(?:free|open|net)bsd\b/i, 'BSD'],
  [/\blinux\b/i, 'Linux']
]

/**
 * "gh 2.40.1 (Linux)": the first product and the platform, which may be known otherwise. Undefined for a browser, and for a bare word
 * such as `node`, by which HTTP libraries name themselves.
 */
export function nameFromUserAgent(header: string | undefined, knownPlatform?: string): string | undefined {
  const text = header?.slice(0, LONGEST_HEADER).trim() ?? ''
  if (BROWSER.test(text)) return undefined
  const { name, version } = readProduct(text)
  if (name === undefined) return undefined
  const own = platformFromUserAgent(text)
  if (version === undefined && own === undefined) return undefined
  const platform = own ?? knownPlatform
  return [name, version, platform && `(${platform})`].filter(Boolean).join(' ')
}

/** "macOS": what a program or a browser says that it runs on. */
export function platformFromUserAgent(header: string | undefined): string | undefined {
  const text = header?.slice(0, LONGEST_HEADER).replaceAll(URLS, '') ?? ''
  return PLATFORMS.find(([pattern]) => pattern.test(text))?.[1]
}

/** The first product: words, and a version after a slash or as the next word. */
function readProduct(text: string): { name?: string; version?: string | undefined } {
  const words: string[] = []
  for (const part of text.split(/\s+/).slice(0, MOST_WORDS + 1)) {
    const [word = '', version, ...rest] = part.split('/')
    if (VERSION.test(part) && words.length > 0) return { name: words.join(' '), version: short(part) }
    if (words.length === MOST_WORDS || rest.length > 0 || !WORD.test(word)) break
    if (version !== undefined) {
      // The slash of a second product ends the name of the first.
      if (words.length > 0) break
      return { name: short(word), version: VERSION.test(version) ? short(version) : undefined }
    }
    words.push(short(word))
  }
  const [first] = words
  return first === undefined ? {} : { name: first }
}

const short = (word: string) => word.slice(0, LONGEST_WORD)
