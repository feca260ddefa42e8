/**
 * URLs that callers choose must not lead to internal addresses (SSRF): the service connects only to addresses that it
 * has checked. The test sees every TCP connection that this process attempts, whether or not something listens there.
 */
import { createHook } from 'node:async_hooks'
import type { LookupAddress, lookup } from 'node:dns'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer, isIP } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import t, { type Test } from 'tap'
import { createGuardedFetch, ForbiddenUrlError } from '../../../src/core/trust/guarded-fetch.js'
import { createStrangersLookup } from '../../../src/core/trust/strangers-names.js'
import { createTrustedIssuerKeys } from '../../../src/core/trust/trusted-issuer-keys.js'
import { makeCertificate } from '../../support/certificates.js'
import { startDnsServer } from '../../support/dns-server.js'
import { answerWith, authority, DISCOVERY, JWKS, listen, startBareIssuer } from '../../support/trusted-issuer.js'
import { startRelyingParty } from './support.js'

const ISSUER = 'The issuer cannot be asked for its keys.'

/** All connections that this process has attempted. */
const attempts: { address?: string; port?: number }[] = []
/** How many names it has had Node.js look up, on a thread. */
let threads = 0
createHook({
  init(_id, type, _trigger, resource) {
    if (type === 'GETADDRINFOREQWRAP') threads += 1
    // Node.js writes the address into the resource after this call.
    if (type === 'TCPCONNECTWRAP') attempts.push(resource as (typeof attempts)[number])
  }
}).enable()

/** Returns the addresses to which connections were attempted during an action. */
async function destinations(action: () => Promise<unknown>): Promise<string[]> {
  const before = attempts.length
  await action()
  return attempts.slice(before).map(({ address }) => String(address))
}

/** The IANA registries of special-purpose addresses, and the ranges outside global unicast. */
const SPECIAL = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4', '255.255.255.255/32'],
  ...['::/128', '::1/128', '::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64'],
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10'],
  ...['ff00::/8', '400::/6', '800::/5', '1000::/4', '4000::/3', '8000::/1']
]
const PUBLIC = ['1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.1']
PUBLIC.push('169.253.255.255', '172.15.255.255', '172.32.0.0', '192.167.255.255', '223.255.255.255')
PUBLIC.push('2606:4700::1111', '2001:4860:4860::8888', '2a00::1')

/** Ways to write the addresses of this machine in a URL. */
const THIS_MACHINE = [
  ...['127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '127.0.0.1.', '127.0.0.01', '2130706433', '0x7f000001'],
  ...['0x7f.0.0.1', '0x7F.1', '0177.0.0.1', '0177.1', '017700000001', '0x7f.0.0.0x1', '%31%32%37.0.0.1', '127%2e0.0.1'],
  ...[
    '１２７.０.０.１',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '0.0.0.0',
    '0',
    '0x0',
    '00.0',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]'
  ],
  ...[
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::FFFF:127.0.0.1]',
    '[::127.0.0.1]',
    '[::7f00:1]',
    '[::ffff:0:127.0.0.1]'
  ],
  ...['[64:ff9b::127.0.0.1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::1]', '[::ffff:0.0.0.0]']
]
const ELSEWHERE = [
  ...[
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
    '169.254.169.254'
  ],
  ...['169.254.0.0', '100.64.0.1', '100.100.100.200', '100.127.255.255', '192.0.0.192', '198.18.0.1', '224.0.0.1'],
  ...['239.255.255.255', '240.0.0.1', '255.255.255.255', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '10.1'],
  ...['[fd00:ec2::254]', '[fc00::1]', '[fdff::1]', '[fe80::1]', '[febf::1]', '[fec0::1]', '[ff02::1]', '[100::1]'],
  ...[
    '[::ffff:10.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[::10.0.0.1]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a00:1::1]',
    '[2001:db8::1]'
  ],
  ...['[2001::a9fe:a9fe]', '[3fff::1]', '[5f00::1]', '[1000::1]', '[4000::1]', '[e000::1]']
]

/** Makes a DNS lookup that gives these answers one after another; the last one is repeated. */
function lookupOf(...answers: (string | LookupAddress)[][]) {
  const asked: string[] = []
  const resolve = ((hostname: string, _options: object, done: (error: null, found: LookupAddress[]) => void) => {
    const answer = answers[Math.min(asked.push(hostname), answers.length) - 1] ?? []
    const found = answer.map((one) => (typeof one === 'string' ? { address: one, family: isIP(one) } : one))
    process.nextTick(done, null, found)
  }) as unknown as typeof lookup
  return { asked, resolve }
}

/** Gives an address the wrong family. Connecting to it is attempted and fails before any packet is sent. */
const unreachable = (address: string): LookupAddress => ({ address, family: isIP(address) === 4 ? 6 : 4 })

function guard(allowLoopback: boolean, resolve?: typeof lookup) {
  return createGuardedFetch({
    allowLoopback,
    // A test that must reach nothing needs no authority to trust.
    ca: allowLoopback ? authority.pem : undefined,
    ...(resolve && { lookup: resolve })
  })
}

async function isForbidden(t: Test, answer: Promise<unknown>, why: string) {
  t.equal(await answer.then(String, (error) => error.name), ForbiddenUrlError.name, why)
}

/** Starts two servers, with and without TLS, that count connections to this machine. */
async function listeners(t: Test) {
  const found = answerWith('{"found":true}')
  const [tls, plain] = [await listen(t, found), await listen(t, found, { isPlain: true })]
  const noConnections = (t: Test) => t.strictSame([tls.connections(), plain.connections()], [0, 0], 'nobody came')
  return { tls, plain, noConnections }
}

t.test('what is seen here', async (t) => {
  const { tls } = await listeners(t)
  const seen = await destinations(async () => {
    const { body, fingerprints } = await guard(true)(`https://127.0.0.1:${tls.port}/`)
    t.strictSame(body, { found: true })
    t.ok(fingerprints.includes(tls.certificate.sha256.toUpperCase()))
  })
  t.strictSame([seen, tls.connections()], [['127.0.0.1'], 1])
})

t.test('an address in a URL', async (t) => {
  t.test('is refused unless it is public, in whatever spelling', async (t) => {
    const { tls, plain, noConnections } = await listeners(t)
    const { asked, resolve } = lookupOf(['127.0.0.1'])
    const seen = await destinations(async () => {
      for (const host of [...THIS_MACHINE, ...ELSEWHERE]) {
        await isForbidden(t, guard(false, resolve)(`https://${host}:${tls.port}/`), host)
        await isForbidden(t, guard(false, resolve)(`http://${host}:${plain.port}/`), `${host}, without TLS`)
      }
    })
    t.strictSame([seen, asked], [[], []], 'nothing was connected to, or looked up')
    noConnections(t)
  })

  t.test('is refused to an account, too', async (t) => {
    const { tls, plain, noConnections } = await listeners(t)
    const { trust, validate } = await startRelyingParty(t, { FOREIGN_ISSUERS_ON_LOOPBACK: 'off' })
    const token = await (await startBareIssuer(t)).token()
    const origins = [...THIS_MACHINE, ...ELSEWHERE, 'localhost', 'LOCALHOST'].flatMap((host) => [
      `https://${host}:${tls.port}`,
      `http://${host}:${plain.port}`
    ])
    const seen = await destinations(async () => {
      for (const url of origins) {
        const { status, body } = await validate(token, await trust({ url }))
        t.strictSame({ status, body }, { status: 400, body: { code: 'invalid_token', message: ISSUER } }, url)
      }
    })
    t.strictSame(seen, [])
    noConnections(t)
  })

  t.test('may be one of this machine by the switch, and no other', async (t) => {
    const { tls, plain } = await listeners(t)
    for (const url of [
      `https://127.0.0.1:${tls.port}`,
      `https://localhost:${tls.port}`,
      `http://127.0.0.1:${plain.port}`,
      `http://localhost:${plain.port}`
    ]) {
      t.strictSame((await guard(true)(url)).body, { found: true }, url)
    }
    const before = [tls.connections(), plain.connections()]
    const seen = await destinations(async () => {
      for (const host of [
        ...ELSEWHERE,
        '0.0.0.0',
        '[::]',
        '0',
        '[::127.0.0.1]',
        '[2002:7f00:1::]',
        '[64:ff9b::7f00:1]'
      ]) {
        await isForbidden(t, guard(true)(`https://${host}:${tls.port}/`), host)
        await isForbidden(t, guard(true)(`http://${host}:${plain.port}/`), `${host}, without TLS`)
      }
    })
    t.strictSame(seen, [])
    t.strictSame([tls.connections(), plain.connections()], before)
  })
})

t.test('a name', async (t) => {
  t.test('is refused if any of its addresses is not public', async (t) => {
    const { tls, noConnections } = await listeners(t)
    const url = `https://issuer.example.com:${tls.port}/`
    const addresses = [...THIS_MACHINE, ...ELSEWHERE].map((host) => new URL(`https://${host}`).hostname)
    const literals = [...new Set(addresses.map((host) => host.replace(/^\[|\]$/g, '')))]
    t.ok(literals.length > 40)
    const seen = await destinations(async () => {
      for (const address of [...literals, '::127.0.0.1', 'fe80::1%lo', '127.0.0.1 ', 'localhost', '']) {
        const [it, four, six] = [
          { address, family: isIP(address) || 4 },
          unreachable('1.1.1.1'),
          unreachable('2a00::1')
        ]
        for (const answer of [[it], [four, it], [it, four], [six, four, it]]) {
          const why = answer.map(({ address }) => address).join(' and ')
          await isForbidden(t, guard(false, lookupOf(answer).resolve)(url), why)
        }
      }
    })
    t.strictSame(seen, [])
    noConnections(t)
  })

  t.test('is refused at every address of the special ones', async (t) => {
    const within = fc.constantFrom(...SPECIAL).chain((cidr) => {
      const [base, bits] = ipaddr.parseCIDR(cidr)
      const bytes = base.toByteArray()
      return fc.uint8Array({ minLength: bytes.length, maxLength: bytes.length }).map((noise) => {
        const mixed = bytes.map((byte, i) => {
          const mask = 0xff >> Math.min(8, Math.max(0, bits - i * 8))
          return byte | ((noise[i] ?? 0) & mask)
        })
        return ipaddr.fromByteArray(mixed)
      })
    })
    const seen = await destinations(async () => {
      await fc.assert(
        fc.asyncProperty(within, fc.boolean(), async (address, isMapped) => {
          const text = String(isMapped && address instanceof ipaddr.IPv4 ? address.toIPv4MappedAddress() : address)
          const answer = guard(false, lookupOf([unreachable(text)]).resolve)('https://issuer.example.com/')
          return (await answer.catch((error) => error.name)) === ForbiddenUrlError.name
        }),
        { numRuns: 1_000 }
      )
    })
    t.strictSame(seen, [], '1,000 addresses')
  })

  t.test('is let through to the public internet', async (t) => {
    for (const address of PUBLIC) {
      const { resolve } = lookupOf([unreachable(address)])
      await t.rejects(guard(false, resolve)('https://issuer.example.com/'), {
        syscall: 'connect',
        code: 'EINVAL',
        address
      })
    }
  })

  t.test('that means this machine is refused without the switch, whoever says so', async (t) => {
    const { tls, plain, noConnections } = await listeners(t)
    const seen = await destinations(async () => {
      for (const host of [
        'localhost',
        'LOCALHOST',
        'localhost.',
        'localhost.localdomain',
        'ip6-localhost',
        'a.localhost'
      ]) {
        for (const url of [`https://${host}:${tls.port}`, `http://${host}:${plain.port}`]) {
          // The system's resolver decides what some of these names mean, so only the refusal is checked.
          await t.rejects(guard(false)(url), url)
        }
      }
      await isForbidden(t, guard(false)(`https://localhost:${tls.port}`), 'localhost')
    })
    t.strictSame(seen, [])
    noConnections(t)
  })

  t.test('needs TLS even on this machine, unless it is localhost', async (t) => {
    const { plain } = await listeners(t)
    const { asked, resolve } = lookupOf(['127.0.0.1'])
    const seen = await destinations(async () => {
      for (const host of [
        'issuer.example.com',
        'localhost.',
        'localhost.example.com',
        'a.localhost',
        'localhost.localdomain'
      ]) {
        await isForbidden(t, guard(true, resolve)(`http://${host}:${plain.port}/`), host)
      }
    })
    t.strictSame([seen, asked, plain.connections()], [[], [], 0])
    t.strictSame((await guard(true, resolve)(`http://LocalHost:${plain.port}/`)).body, { found: true }, 'localhost')
  })
})

t.test('a name that means something else by and by', async (t) => {
  const certificate = makeCertificate({ name: 'x', issuer: authority, hosts: ['issuer.example.com'] })

  t.test('is connected to where it was checked, and asked for once', async (t) => {
    const checked = await listen(t, answerWith('{"found":true}'), { certificate })
    let others = 0
    const other = createServer(() => {
      others += 1
    }).listen(checked.port, '127.0.0.2')
    t.teardown(() => other.close())
    await once(other, 'listening')
    const { asked, resolve } = lookupOf(['127.0.0.1'], ['127.0.0.2'])
    const seen = await destinations(async () => {
      const { body } = await guard(true, resolve)(`https://issuer.example.com:${checked.port}/`)
      t.strictSame(body, { found: true })
    })
    t.strictSame(seen, ['127.0.0.1'])
    t.strictSame(asked, ['issuer.example.com'])
    t.strictSame([checked.connections(), others], [1, 0])
  })

  t.test('is not connected to by what it became', async (t) => {
    const { tls, noConnections } = await listeners(t)
    const { asked, resolve } = lookupOf([unreachable('1.1.1.1')], ['127.0.0.1'])
    const seen = await destinations(async () => {
      const answer = guard(false, resolve)(`https://issuer.example.com:${tls.port}/`)
      t.match(await answer.catch((error) => error), { syscall: 'connect', address: '1.1.1.1' })
    })
    t.strictSame([seen, asked], [[], ['issuer.example.com']])
    noConnections(t)
  })

  t.test('is checked again for every document', async (t) => {
    const issuer = await startBareIssuer(t, { certificate, host: 'issuer.example.com' })
    for (const address of ['169.254.169.254', '10.0.0.1', 'fd00::1']) {
      const { asked, resolve } = lookupOf(['127.0.0.1'], [address])
      const seen = await destinations(async () => {
        t.equal(await createTrustedIssuerKeys(guard(true, resolve), Date.now).of(issuer.url), undefined, address)
      })
      t.strictSame([seen, asked.length], [['127.0.0.1'], 2], 'no connection is kept for the second')
    }
    t.strictSame(issuer.requests, [DISCOVERY, DISCOVERY, DISCOVERY])
    const { resolve } = lookupOf(['127.0.0.1'])
    t.ok(
      await createTrustedIssuerKeys(guard(true, resolve), Date.now).of(issuer.url),
      'and what stays where it is, is found'
    )
  })
})

t.test('an issuer that sends on', async (t) => {
  const { tls, plain, noConnections } = await listeners(t)
  const party = await startRelyingParty(t)
  const isRefused = async (t: Test, at: string, answer: RequestListener | undefined, metadata: object, why: string) => {
    const issuer = await startBareIssuer(t, { clock: party.clock })
    issuer.at(at, answer)
    issuer.metadata = { ...metadata }
    const { status, body } = await party.validate(await issuer.token(), await party.trustBare(issuer))
    t.strictSame({ status, body }, { status: 400, body: { code: 'invalid_token', message: ISSUER } }, why)
  }

  t.test('is not followed, with any status', async (t) => {
    for (const status of [300, 301, 302, 303, 304, 305, 307, 308]) {
      for (const at of [DISCOVERY, JWKS]) {
        for (const origin of [tls.origin, plain.origin]) {
          await isRefused(
            t,
            at,
            answerWith('', status, { location: `${origin}/` }),
            {},
            `${status} at ${at} to ${origin}`
          )
        }
      }
    }
    noConnections(t)
  })

  t.test('is not followed by what it says of its keys, either', async (t) => {
    const seen = await destinations(async () => {
      for (const host of [...ELSEWHERE, '0.0.0.0', '[::]', '[::127.0.0.1]', '[2002:7f00:1::]']) {
        await isRefused(t, DISCOVERY, undefined, { jwks_uri: `https://${host}:${tls.port}/jwks` }, host)
      }
    })
    t.ok(seen.length > 0)
    t.strictSame(
      [...new Set(seen)].filter((address) => !['127.0.0.1', '::1'].includes(address)),
      [],
      'none but the issuer'
    )
    noConnections(t)
  })
})

t.test('a name in the DNS', async (t) => {
  const dns = await startDnsServer(t)
  const { tls, noConnections } = await listeners(t)
  const fetch = createGuardedFetch({ allowLoopback: false, ca: authority.pem, dnsResolver: dns.address })

  t.test('is refused if any of its addresses is not public, of either family', async (t) => {
    const rows = [['127.0.0.1'], ['::1'], ['1.1.1.1', '10.0.0.1'], ['1.1.1.1', 'fd00::1'], ['2a00::1', '192.168.0.1']]
    rows.push(['1.1.1.1', '::ffff:10.0.0.1'], ['169.254.169.254', '2606:4700::1111'])
    const seen = await destinations(async () => {
      for (const addresses of rows) {
        dns.point('issuer.example.com', ...addresses)
        await isForbidden(t, fetch(`https://issuer.example.com:${tls.port}/`), `${addresses}`)
      }
    })
    t.strictSame(seen, [])
    noConnections(t)
  })

  t.test('is refused like one of the inside where there is none', async (t) => {
    dns.point('inside.example.com', '10.0.0.1')
    dns.fail('empty.example.com', 'NODATA')
    const longest = `${'x'.repeat(64)}.example.com`
    for (const host of ['inside.example.com', 'empty.example.com', 'nobody.example.com', longest]) {
      await isForbidden(t, fetch(`https://${host}/`), host)
      t.equal(await createTrustedIssuerKeys(fetch, Date.now).of(`https://${host}`), undefined, host)
    }
  })

  t.test('that could not be looked up is told apart', async (t) => {
    dns.fail('broken.example.com', 'SERVFAIL')
    dns.fail('half.example.com', 'SERVFAIL', 'AAAA')
    for (const host of ['broken.example.com', 'half.example.com']) {
      t.equal(await fetch(`https://${host}/`).then(String, ({ code }) => code), 'ESERVFAIL', host)
      const keys = createTrustedIssuerKeys(fetch, Date.now)
      t.equal(await keys.of(`https://${host}`).then(String, ({ code }) => code), 'unavailable', host)
    }
  })

  t.test('is connected to where it was checked, though half of the answer is missing', async (t) => {
    const certificate = makeCertificate({ name: 'x', issuer: authority, hosts: ['here.example.com'] })
    const here = await listen(t, answerWith('{"found":true}'), { certificate })
    dns.point('here.example.com', '127.0.0.1')
    dns.fail('here.example.com', 'SERVFAIL', 'AAAA')
    const lookup = createStrangersLookup(dns.address)
    const seen = await destinations(async () => {
      const answer = createGuardedFetch({ allowLoopback: true, ca: authority.pem, lookup })(
        `https://here.example.com:${here.port}/`
      )
      t.strictSame((await answer).body, { found: true })
    })
    t.strictSame(seen, ['127.0.0.1'])
  })

  t.test('that means this machine is refused, and nobody is asked', async (t) => {
    const before = dns.asked.length
    for (const host of ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'a.localhost.']) {
      await isForbidden(t, fetch(`https://${host}:${tls.port}/`), host)
    }
    t.equal(dns.asked.length, before)
    noConnections(t)
  })

  t.test('holds up nobody while the resolver is silent, and is given up', async (t) => {
    const hosts = Array.from({ length: 40 }, (_, i) => `h${i}.slow.example.com`)
    for (const host of hosts) dns.fail(host, 'silence')
    const before = threads
    const lookup = createStrangersLookup(dns.address, 100)
    const impatient = createGuardedFetch({ allowLoopback: false, ca: undefined, lookup })
    const codes = await Promise.all(
      hosts.map((host) => impatient(`https://${host}/`).then(String, ({ code }) => String(code)))
    )
    t.strictSame([...new Set(codes)], ['ECANCELLED'])
    await fetch('https://nobody.example.com/').catch(() => {})
    t.equal(threads, before, 'no thread was taken')
    await guard(true)('https://localhost:1/').catch(() => {})
    t.equal(threads, before + 1, 'as is seen here')
  })
})

t.test('what is no https URL', async (t) => {
  const { tls, plain, noConnections } = await listeners(t)
  const host = `127.0.0.1:${tls.port}`
  const urls = [
    ...[
      '',
      ' ',
      'x',
      '/',
      '//',
      `//${host}`,
      `/${host}`,
      host,
      'https:',
      'https://',
      'https:///',
      'http://',
      `https:${host}`
    ],
    ...[
      `https:/${host}`,
      `https:\\\\${host}`,
      `ftp://${host}`,
      `file:///etc/passwd`,
      `file://${host}/x`,
      `gopher://${host}/1`
    ],
    ...[
      `ws://${host}`,
      `wss://${host}`,
      `unix:///run/x.sock`,
      `http+unix://${host}`,
      `data:application/json,{}`,
      'about:blank'
    ],
    ...['javascript:alert(1)', `blob:https://${host}/x`, `view-source:https://${host}`, `https://user@${host}`],
    ...[
      `https://user:word@${host}`,
      `https://:word@${host}`,
      `https://example.com@${host}`,
      `https://example.com%40${host}`
    ],
    ...[
      `https://[::1`,
      'https://[::1%25lo]',
      'https://[fe80::1%25eth0]',
      `https://127.0.0.1:99999`,
      `https://127.0.0.1:x`
    ],
    ...[
      'https://1.2.3.4.5',
      'https://256.0.0.1',
      'https://0x100000000',
      'https://a b',
      'https://a\u0000b',
      'https://%00',
      'https://a<b'
    ]
  ]
  const seen = await destinations(async () => {
    for (const url of urls) await isForbidden(t, guard(false)(url), JSON.stringify(url))
  })
  t.strictSame(seen, [])

  t.test('is not taken for one', async (t) => {
    const { v1 } = await startRelyingParty(t)
    const { id } = (await v1('POST', '/tenants', { name: 'tenant', description: 'of the tests' })).body
    const refused = [
      ...urls,
      `https://${host}/?x=y`,
      `https://${host}/#x`,
      `https://${host}?`,
      ` https://${host}`,
      `https://${host}\n`
    ]
    for (const url of refused.filter((url) => !/^https:\/\/(\[|256|1\.2\.3\.4\.5)/.test(url))) {
      const rest = { fingerprints: ['0'.repeat(64)], audience: 'relying-party', earliestIssuanceTimeAllowed: 0 }
      const { status, body } = await v1('POST', `/tenants/${id}/providers`, { url, ...rest })
      t.match({ status, body }, { status: 400, body: { code: 'bad_request' } }, JSON.stringify(url))
    }
    t.strictSame((await v1('GET', `/tenants/${id}/providers`)).body, [])
  })
  t.equal(plain.connections(), 0)
  noConnections(t)
})
