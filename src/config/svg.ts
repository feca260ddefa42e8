/**
 * Checks that an SVG only draws, by an allowlist: it is parsed strictly as XML without DOCTYPE, own entities and CDATA,
 * and it is refused as a whole if anything is not known to be harmless. The pages show it in an img element, where
 * scripts do not run anyway; the check protects users who open the file by itself, and keeps it from loading anything.
 */
const SVG = 'http://www.w3.org/2000/svg'

/** The elements that draw. Links, scripts, foreign content, embedded pictures and animations are left out. */
const ELEMENTS = new Set(
  `svg g defs symbol use title desc style path rect circle ellipse line polyline polygon text tspan textPath marker pattern
   linearGradient radialGradient stop clipPath mask filter feBlend feColorMatrix feComponentTransfer feComposite
   feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR
   feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting feSpotLight feTile
   feTurbulence`.split(/\s+/)
)

const NAME = '[A-Za-z_][\\w.-]*(?::[A-Za-z_][\\w.-]*)?'
const PROLOG = /^\uFEFF?(?:<\?xml\s[^?<>]*\?>)?/
const TOKEN = new RegExp(
  `<!--(?:(?!--)[^])*-->|</(?<closed>${NAME})\\s*>|<(?<opened>${NAME})(?<attributes>(?:\\s+${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(?<empty>/?)>|(?<text>[^<]+)`,
  'y'
)
const ATTRIBUTE = new RegExp(`(?<name>${NAME})\\s*=\\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)')`, 'g')
const REFERENCE = /&(?:(?<named>amp|lt|gt|quot|apos)|#(?<decimal>\d{1,7})|#x(?<hexadecimal>[\dA-Fa-f]{1,6}));/g
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
/** Matches a character that XML 1.0 does not allow. */
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u

/** Returns why an SVG is refused, with the line; undefined if it only draws. */
export function svgFault(svg: string): string | undefined {
  const open: string[] = []
  let hasRoot = false
  let style = ''
  let at = PROLOG.exec(svg)?.[0].length ?? 0
  const faultHere = (fault: string) => `line ${svg.slice(0, at).split('\n').length}: ${fault}`

  if (NOT_XML.test(svg)) return 'holds characters that XML does not allow'
  while (at < svg.length) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(svg)
    if (!token) return faultHere(unreadable(svg.slice(at, at + 9)))
    const { closed, opened, attributes = '', empty, text } = token.groups ?? {}
    if (opened !== undefined) {
      if (open.length === 0 && (hasRoot || opened !== 'svg')) return faultHere('is not one svg element')
      if (!ELEMENTS.has(opened)) return faultHere(`<${opened}> is not among what may be in a logo`)
      const fault = attributesFault(attributes, !hasRoot)
      if (fault !== undefined) return faultHere(`<${opened}> ${fault}`)
      hasRoot = true
      if (empty === '') open.push(opened)
    } else if (closed !== undefined) {
      if (open.pop() !== closed) return faultHere(`</${closed}> ends what did not begin`)
      const fault = closed === 'style' ? cssFault(style) : undefined
      if (fault !== undefined) return faultHere(`<style> ${fault}`)
      if (closed === 'style') style = ''
    } else if (text !== undefined) {
      const characters = decode(text)
      if (characters === undefined) return faultHere('has a & that begins no entity of XML')
      if (open.length === 0 && characters.trim() !== '') return faultHere('has text outside of the svg element')
      // The texts of a style element are joined as browsers do, because a comment between them could hide a forbidden
      // word.
      if (open.at(-1) === 'style') style += characters
    }
    at = TOKEN.lastIndex
  }
  if (!hasRoot) return 'is not an SVG'
  return open.length > 0 ? `<${open.at(-1)}> does not end` : undefined
}

function unreadable(start: string): string {
  if (/^<!doctype/i.test(start)) return 'a DOCTYPE is not allowed'
  if (start.startsWith('<![CDATA[')) return 'CDATA is not allowed'
  if (start.startsWith('<?')) return 'a processing instruction is not allowed'
  return 'is not well-formed XML'
}

function attributesFault(text: string, isRoot: boolean): string | undefined {
  const all = new Map<string, string>()
  for (const { groups } of text.matchAll(ATTRIBUTE)) {
    const { name = '', double, single } = groups ?? {}
    const value = decode(double ?? single ?? '')
    if (value === undefined) return `has a & in ${name} that begins no entity of XML`
    if (all.has(name)) return `has ${name} twice`
    all.set(name, value)
    if (/^on/i.test(name)) return `has ${name}, an event handler`
    if (name === 'xml:base') return 'has xml:base, which leads elsewhere'
    if (name === 'xmlns' && value !== SVG) return 'is not of the namespace of SVG'
    if (/^(.*:)?href$/i.test(name) && !value.startsWith('#')) return `has ${name} that does not begin with #`
    const fault = name.startsWith('xmlns') ? undefined : cssFault(value)
    if (fault !== undefined) return `${name} ${fault}`
  }
  if (!isRoot) return undefined
  if (!all.has('xmlns')) return `lacks xmlns="${SVG}"`
  return all.has('viewBox') || (all.has('width') && all.has('height')) ? undefined : 'lacks a viewBox'
}

/**
 * Refuses CSS that loads something, or that could hide such a thing. Attributes are checked too, because some are read
 * as CSS.
 */
function cssFault(css: string): string | undefined {
  if (css.includes('\\')) return 'holds a \\, which could hide something'
  if (/@import/i.test(css)) return 'holds @import'
  if (/url\((?!\s*["']?#)/i.test(css)) return 'holds url() of something else than #…'
  return /(?:image|image-set|cross-fade|src)\(/i.test(css) ? 'holds what loads a picture' : undefined
}

/** Replaces the references in a text. Undefined if it has others than character references and the five of XML. */
function decode(text: string): string | undefined {
  if (text.replace(REFERENCE, '').includes('&')) return undefined
  return text.replace(REFERENCE, (...found) => {
    const { named, decimal, hexadecimal } = found.at(-1) as Record<string, string | undefined>
    if (named !== undefined) return NAMED[named] ?? ''
    const point = decimal === undefined ? Number.parseInt(hexadecimal ?? '', 16) : Number(decimal)
    return point <= 0x10ffff ? String.fromCodePoint(point) : '\uFFFD'
  })
}
