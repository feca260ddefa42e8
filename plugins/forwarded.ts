/**
 * What proxies forward about the address of a client, in X-Forwarded-For or in Forwarded (RFC 7239 §5.2), with addresses in every
 * form of RFC 7239 §6: with ports, in brackets and quotes. whereabouts.ts says whose word counts.
 */
import { isIP, isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'

export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

/** More hops than any chain of proxies has. Bounds the work that one header can cause. */
const MOST_HOPS = 32

/** An IPv4 address, or an IPv6 address in brackets, each with a port (RFC 7239 §6.2), which may be obfuscated (§6.3). */
const WITH_PORT = /^(?:([\d.]+)|\[([^\]]*)\])(?::(?:\d{1,5}|_[\w.-]+))?$/
/** A pair of an element of Forwarded, with its value as a token or a quoted string (RFC 9110 §5.6). */
const PAIR = /[\t ]*([\w!#$%&'*+.^`|~-]+)[\t ]*=[\t ]*("(?:[^"\\]|\\.)*"|[^\t ";,]*)[\t ]*(?:;|$)/y

/**
 * The address that a node of RFC 7239 §6 names, in one spelling for all: IPv6 as in RFC 5952, without a zone, and IPv4 where it was
 * mapped into IPv6. Undefined for what is no address, such as `unknown` and obfuscated identifiers.
 */
export function addressOf(node: string): string | undefined {
  if (isIPv4(node)) return node
  const text = unquoted(node)
  const [, v4, v6] = WITH_PORT.exec(text) ?? []
  const address = (v4 ?? v6 ?? text).split('%', 1)[0] as string
  const version = isIP(address)
  if (version === 0 || (version === 4 && v6 !== undefined)) return undefined
  return version === 4 ? address : spelled(address)
}

function spelled(v6: string): string {
  const parsed = ipaddr.IPv6.parse(v6)
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toRFC5952String()
}

/**
 * The address of the client behind a trusted peer: the right-most one that is not a trusted proxy's, since only what trusted
 * proxies have added is believed. Where one of them names no address, it is the address of that proxy.
 */
export function clientBehind(
  peer: string,
  header: string | undefined,
  name: ForwardedHeader,
  trusts: (address: string) => boolean
): string {
  const nodeOf = name === 'forwarded' ? forNode : (element: string) => element
  let nearest = peer
  let hops = 0
  for (const element of elementsFromRight(header ?? '', name === 'forwarded')) {
    const address = addressOf(nodeOf(element))
    if (address === undefined) return nearest
    nearest = address
    if (++hops === MOST_HOPS || !trusts(address)) return nearest
  }
  return nearest
}

/**
 * The elements of a list, the last one first. Empty ones are none (RFC 9110 §5.6.1). It is read from the right, so that no quote on
 * the left, which a client may have sent, reaches into what a proxy has added.
 */
function* elementsFromRight(list: string, hasQuotes: boolean): Generator<string> {
  let end = list.length
  let isQuoted = false
  for (let at = end - 1; at >= -1; at -= 1) {
    if (hasQuotes && list[at] === '"' && !isEscaped(list, at)) isQuoted = !isQuoted
    if (at >= 0 && (list[at] !== ',' || isQuoted)) continue
    const element = list.slice(at + 1, end).trim()
    end = at
    if (element !== '') yield element
  }
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes += 1
  return backslashes % 2 === 1
}

/** The node of the one `for` of an element. Empty if it has none or two, or cannot be read. */
function forNode(element: string): string {
  let node: string | undefined
  PAIR.lastIndex = 0
  while (PAIR.lastIndex < element.length) {
    const pair = PAIR.exec(element)
    if (!pair) return ''
    const [, name = '', value = ''] = pair
    if (name.toLowerCase() !== 'for') continue
    if (node !== undefined) return ''
    node = value
  }
  return node ?? ''
}

function unquoted(text: string): string {
  const isQuoted = text.length > 1 && text.startsWith('"') && text.endsWith('"')
  return isQuoted ? text.slice(1, -1).replace(/\\(.)/g, '$1').trim() : text
}
