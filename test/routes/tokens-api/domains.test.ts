import t from 'tap'
import { startDnsServer } from '../../support/dns-server.js'
import { makeOneOfEach, startTokensApp } from '../../support/tokens-client.js'
import { apiHeaders } from '../expectations.js'
import { contentOf, everyOperation, isThing, refused } from './every-operation.js'

const MOST = 255
/** Returns a domain name of that many characters, in labels of at most 63. */
const nameOf = (length: number) =>
  `${'a'.repeat(61)}.`
    .repeat(5)
    .slice(0, length - 4)
    .replace(/\.$/, 'a')
    .concat('.com')

t.test('201 addDomain', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(api)
  const add = (domain: unknown) => api.addDomain(ids, { domain })

  t.test('201 answers with the domain, what to publish and where, an id and the times', async (t) => {
    const answer = await api.addDomain(ids, { domain: 'id.example.com', id: 'x', verified: true, challenge: 'mine' })
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    const { challenge, ...content } = contentOf(answer.body)
    t.strictSame(content, {
      domain: 'id.example.com',
      verified: false,
      challengeName: '_grant-challenge.id.example.com'
    })
    t.match(challenge, /^[\w-]{32}$/, 'nobody can guess it, and it fits into one string of a TXT record')
    t.strictSame((await api.getDomain({ ...ids, domainId: answer.body.id })).body, answer.body)
    t.not((await add('id2.example.com')).body.challenge, challenge, 'each has its own')
  })

  t.test('201 host names, kept in lower case', async (t) => {
    const names = [
      'a.b',
      'a.bc',
      'example.com',
      'a-b.c-d.example',
      '1.example',
      '0-0.example',
      'deep.er.and.deep.er.example'
    ]
    const likeWww = ['wwww.example', 'www2.example', 'www-1.example', 'my.www.example', 'w.example', 'ww.example']
    const long = [`${'a'.repeat(63)}.example`, `a.${'b'.repeat(63)}`, nameOf(MOST - 1), nameOf(MOST)]
    for (const domain of [...names, ...likeWww, ...long, 'xn--bcher-kva.example']) {
      const answer = await add(domain)
      t.strictSame([answer.status, answer.body.domain], [201, domain], `${domain.length}: ${domain.slice(0, 40)}`)
    }
    t.equal(nameOf(MOST).length, MOST)
    const { body } = await add('Tokens.EXAMPLE.Com')
    t.strictSame([body.domain, body.challengeName], ['tokens.example.com', '_grant-challenge.tokens.example.com'])
  })

  t.test('400 what is no host name, or is too short or too long for one', async (t) => {
    const wrong: Record<string, unknown[]> = {
      'a length': ['', 'a', 'ab', '.a', nameOf(MOST + 1)],
      'one label': ['localhost', 'example', 'com'],
      'www.': ['www.example.com', 'www.com', 'www.www.example', 'WWW.example.com', 'Www.example.com'],
      'a last label that is not of letters': ['a.example1', 'example.123', '192.0.2.1', 'a.xn--p1ai', 'example.c-m'],
      'hyphens at an end': ['-a.example', 'a-.example', 'b.-a.example', 'a.example-', 'a.-example'],
      'empty labels': ['a..example', '.example.com', 'example.com.', '..', 'a.'],
      'labels that are too long': [`${'a'.repeat(64)}.example`, `a.${'b'.repeat(64)}`],
      'other characters': [
        'a_b.example',
        '*.example.com',
        'exämple.com',
        '例え.example',
        'a b.example',
        'a\u0000.example'
      ],
      'more than a name': ['https://example.com', 'example.com:443', 'example.com/', 'u@example.com', 'example.com?x'],
      'space around it': [' example.com', 'example.com ', 'example.com\n', '\texample.com'],
      'another type': [null, 5, true, ['example.com'], { domain: 'example.com' }, undefined]
    }
    for (const [what, domains] of Object.entries(wrong)) {
      for (const domain of domains) refused(t, await add(domain), 400, `${what}: ${JSON.stringify(domain)}`, 'domain')
    }
    refused(t, await add('x'), 400, 'says how', /^domain must /)
    refused(t, await api.addDomain(ids, {}), 400, 'none', 'domain is missing.')
  })
})

t.test('409 a domain that the provider has already, or that another one has proved', async (t) => {
  const dns = await startDnsServer(t)
  const { api, by, newKey } = await startTokensApp(t, { LIMITS: 'off', DNS_RESOLVER: dns.address })
  const [ids, sibling] = [await makeOneOfEach(api), await makeOneOfEach(api)]
  const stranger = by(await newKey('stranger'))
  const foreign = await makeOneOfEach(stranger)
  const domain = 'once.example.com'
  const { body: first } = await api.addDomain(ids, { domain })
  const others = [
    ['another provider of the account', api, sibling],
    ['another account', stranger, foreign]
  ] as const
  const sentence = 'The domain belongs to a provider already.'
  for (const spelling of [domain, domain.toUpperCase()]) {
    refused(t, await api.addDomain(ids, { domain: spelling }), 409, 'the same provider', sentence)
    for (const [who, client, place] of others) {
      const { status, body } = await client.addDomain(place, { domain: spelling })
      t.equal(status, 201, `${who}: what is not proved keeps nobody out`)
      t.not(body.challenge, first.challenge, 'and each proves it by something else')
      t.equal((await client.deleteDomain({ ...place, domainId: body.id })).status, 204)
    }
  }
  t.equal((await api.addDomain(ids, { domain: `sub.${domain}` })).status, 201, 'a name below it is another domain')

  dns.publish(first.challengeName, first.challenge)
  t.equal((await api.verifyDomain({ ...ids, domainId: first.id })).body.verified, true)
  for (const [who, client, place] of others) {
    refused(t, await client.addDomain(place, { domain }), 409, who, sentence)
    t.equal((await client.listDomains(place)).body.length, 1, `${who} has got nothing by it`)
  }
  dns.fail(first.challengeName, 'NXDOMAIN')
  for (const [who, client, place] of others) {
    const { status, body } = await client.addDomain(place, { domain })
    t.equal(status, 201, `${who}: nor does a proof that is there no more`)
    t.equal((await client.deleteDomain({ ...place, domainId: body.id })).status, 204)
  }
  t.equal((await api.getDomain({ ...ids, domainId: first.id })).body.verified, true, 'which still holds')

  dns.publish(first.challengeName, first.challenge)
  t.equal((await api.deleteDomain({ ...ids, domainId: first.id })).status, 204)
  const { status, body: second } = await stranger.addDomain(foreign, { domain })
  t.equal(status, 201, 'once it is deleted it is free')
  t.not(second.challenge, first.challenge, 'and what proved it before does not any more')
  dns.publish(second.challengeName, second.challenge)
  t.equal((await stranger.verifyDomain({ ...foreign, domainId: second.id })).body.verified, true)
  refused(t, await api.addDomain(ids, { domain }), 409, 'for one again')
  t.equal((await stranger.deleteProvider(foreign)).status, 204)
  t.equal((await api.addDomain(ids, { domain })).status, 201, 'and once its provider is')
})

t.test('200 listDomains and getDomain, 204 deleteDomain', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const ids = await makeOneOfEach(api)
  const other = await makeOneOfEach(api)
  const made = [...(await api.listDomains(ids)).body]
  for (let i = 0; i < 8; i++) {
    made.push((await api.addDomain(ids, { domain: `host-${9 - i}.example.com` })).body)
    if (i === 3) clock.advance(1)
  }
  const listed = await api.listDomains(ids)
  t.strictSame([listed.status, listed.body], [200, made], 'in the order they were made')
  apiHeaders(t, listed)
  t.equal((await api.listDomains(other)).body.length, 1, 'those of another provider are not among them')
  for (const domain of made) {
    const answer = await api.getDomain({ ...ids, domainId: domain.id })
    t.strictSame([answer.status, answer.body], [200, domain])
  }
  const [{ id: domainId }] = made.splice(3, 1)
  const answer = await api.deleteDomain({ ...ids, domainId })
  t.strictSame([answer.status, answer.body], [204, ''])
  for (const id of ['getDomain', 'verifyDomain', 'deleteDomain'] as const) {
    refused(t, await api[id]({ ...ids, domainId }), 404, id)
  }
  t.strictSame((await api.listDomains(ids)).body, made)
})

t.test('200 verifyDomain', async (t) => {
  const dns = await startDnsServer(t)
  const { api, clock, send, key } = await startTokensApp(t, { LIMITS: 'off', DNS_RESOLVER: dns.address })
  const ids = await makeOneOfEach(api)
  let made = 0
  const add = async () => (await api.addDomain(ids, { domain: `v${made++}.example.com` })).body
  const verify = async (domain: { id: string }) => {
    const answer = await api.verifyDomain({ ...ids, domainId: domain.id })
    t.equal(answer.status, 200)
    t.strictSame(Object.keys(answer.body).sort(), ['domain', 'message', 'verified'])
    return answer
  }

  t.test('200 with the challenge published: verified, from then on', async (t) => {
    const domain = await add()
    dns.publish(domain.challengeName, domain.challenge)
    clock.advance(5_000)
    const answer = await verify(domain)
    apiHeaders(t, answer)
    const verified = { ...domain, verified: true, updatedAt: new Date(clock()).toISOString() }
    t.strictSame(answer.body.domain, verified)
    t.strictSame([answer.body.verified, answer.body.message], [true, `${domain.domain} is verified.`])
    const place = { ...ids, domainId: domain.id }
    t.strictSame((await api.getDomain(place)).body, verified)
    t.strictSame((await api.listDomains(ids)).body.at(-1), verified)

    dns.fail(domain.challengeName, 'NXDOMAIN')
    clock.advance(5_000)
    t.strictSame((await verify(domain)).body, answer.body, 'a second time it is verified already')
    t.equal(dns.asked.filter((name) => name === domain.challengeName).length, 1, 'and nobody is asked')
  })

  t.test('200 with the challenge among other records, or in several strings', async (t) => {
    for (const records of [
      (challenge: string) => ['v=spf1 -all', challenge, 'other'],
      (challenge: string) => [[challenge.slice(0, 10), challenge.slice(10, 11), '', challenge.slice(11)]],
      (challenge: string) => [['x', 'y'], 'ü\u0000', '', challenge]
    ]) {
      const domain = await add()
      dns.publish(domain.challengeName, ...records(domain.challenge))
      t.equal((await verify(domain)).body.verified, true)
    }
  })

  t.test('200 without it: not verified, and the reason', async (t) => {
    const other = await add()
    const wrong = (challenge: string) => [
      ['wrong'],
      [other.challenge],
      [challenge.slice(1), `${challenge}x`, ` ${challenge}`, challenge.toLowerCase(), `"${challenge}"`],
      [challenge.slice(0, 16), challenge.slice(16)]
    ]
    const domain = await add()
    for (const records of wrong(domain.challenge)) {
      dns.publish(domain.challengeName, ...records)
      const { body } = await verify(domain)
      t.strictSame(body, {
        domain,
        verified: false,
        message: `${domain.challengeName} has TXT records, but none is the challenge.`
      })
    }
    dns.publish(domain.challengeName, domain.challenge)
    t.equal((await verify(domain)).body.verified, true, 'and once it is there it is found')
  })

  t.test('200 while there is nothing to be found, or nobody who says: not verified, and the reason', async (t) => {
    const [domain, unasked] = [await add(), await add()]
    const reasons = {
      NXDOMAIN: `There is no TXT record at ${domain.challengeName}.`,
      NODATA: `There is no TXT record at ${domain.challengeName}.`,
      SERVFAIL: `${domain.challengeName} could not be looked up (ESERVFAIL). Try again later.`,
      REFUSED: `${domain.challengeName} could not be looked up (EREFUSED). Try again later.`,
      silence: `${domain.challengeName} could not be looked up (ETIMEOUT). Try again later.`
    } as const
    for (const [how, message] of Object.entries(reasons)) {
      dns.fail(domain.challengeName, how as keyof typeof reasons)
      const startedAt = performance.now()
      t.strictSame((await verify(domain)).body, { domain, verified: false, message }, how)
      const ms = Math.round(performance.now() - startedAt)
      t.ok(ms < 10_000, `${how}: after ${ms} ms`)
    }
    t.strictSame((await api.getDomain({ ...ids, domainId: domain.id })).body, domain, 'nothing has come of it')
    t.notOk(dns.asked.includes(unasked.challengeName), 'nobody asks for a domain that is not to be verified')
    dns.publish(domain.challengeName, domain.challenge)
    t.equal((await verify(domain)).body.verified, true, 'a failure is none for ever')
  })

  t.test('200 the record of the domain itself, and of another name, are not looked at', async (t) => {
    const domain = await add()
    dns.publish(domain.domain, domain.challenge)
    dns.publish(`_grant-challenge.${domain.challengeName}`, domain.challenge)
    t.equal((await verify(domain)).body.verified, false)
  })

  t.test('200 a domain whose challenge no name server can have', async (t) => {
    const { body: domain } = await api.addDomain(ids, { domain: nameOf(MOST) })
    t.equal((await verify(domain)).body.verified, false)
  })

  t.test('200 whatever body comes with it', async (t) => {
    const domain = await add()
    dns.publish(domain.challengeName, domain.challenge)
    const url = `/v1/providers/${ids.providerId}/domains/${domain.id}/verify`
    const authorization = `Bearer ${key}`
    const headers = { authorization, 'content-length': '0' }
    t.equal((await send({ method: 'POST', url, headers })).body.verified, true, 'a length of none')
    const asJson = { authorization, 'content-type': 'application/json' }
    t.equal((await send({ method: 'POST', url, headers: asJson, payload: '{"verified":false}' })).status, 200)
  })
})

everyOperation(t, ['listDomains', 'addDomain', 'getDomain', 'deleteDomain', 'verifyDomain'])
