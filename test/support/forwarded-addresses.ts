/** Addresses as proxies forward them: a node in every form of RFC 7239 §6, and those that are seen besides. */

/** What a proxy wrote, and the address it names; undefined where it names none. */
export const FORWARDED_NODES: readonly (readonly [node: string, address: string | undefined])[] = [
  // §6.1: an IPv4 address, or an IPv6 address in brackets.
  ['203.0.113.8', '203.0.113.8'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:DB8:0:0:0:0:0:1]', '2001:db8::1'],
  // §6.2: with a port, which may be obfuscated.
  ['203.0.113.8:50443', '203.0.113.8'],
  ['203.0.113.8:0', '203.0.113.8'],
  ['203.0.113.8:_gazonk', '203.0.113.8'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['[2001:db8::1]:_a.b-c', '2001:db8::1'],
  // Quoted, as Forwarded wants it of whatever has a colon.
  ['"203.0.113.8:50443"', '203.0.113.8'],
  ['"[2001:db8::1]"', '2001:db8::1'],
  ['"[2001:db8::1]:443"', '2001:db8::1'],
  // Besides the grammar: bare IPv6, zones, IPv4 mapped into IPv6.
  ['2001:db8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['[fe80::1%25eth0]:80', 'fe80::1'],
  ['::ffff:203.0.113.8', '203.0.113.8'],
  ['[::ffff:cb00:7108]:443', '203.0.113.8'],
  // §6.2 and §6.3: somebody who is not named, with or without a port.
  ['unknown', undefined],
  ['unknown:80', undefined],
  ['_hidden', undefined],
  ['"_SEVKISEK"', undefined],
  ['_hidden:_port', undefined],
  // No node at all.
  ['203.0.113', undefined],
  ['203.0.113.8.9', undefined],
  ['203.0.113.8:', undefined],
  ['203.0.113.8:123456', undefined],
  ['203.0.113.8:443:443', undefined],
  ['[203.0.113.8]', undefined],
  ['[2001:db8::1', undefined],
  ['2001:db8::1]:443', undefined],
  ['[2001:db8::1]443', undefined],
  ['[]', undefined],
  ['"', undefined],
  ['""', undefined],
  ['unix:', undefined],
  ['app.example.com', undefined],
  ['0x7f.1', undefined],
  ['<script>', undefined]
]
