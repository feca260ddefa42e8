/**
 * A domain belongs to one issuer. Only one of several racing issuers gets it, a claim that is not proven within a day
 * blocks nobody, and tokens name the domain exactly as long as discovery there answers for their issuer.
 */
import t, { type Test } from 'tap'
import { type DnsServer, startDnsServer } from '../support/dns-server.js'
import { startRedis } from '../support/redis-server.js'
import { issuerOf, mint } from '../support/relying-party.js'
import { type Ids, makeOneOfEach, startTokensApp, type TokensApp, type TokensClient } from '../support/tokens-client.js'

const DAY_MS = 86_400_000
const PUBLIC_URL = 'https://grants.example.com'

interface Account {
  api: TokensClient
  ids: Ids
}

interface World {
  one: TokensApp
  /** Another instance over the same state. In memory it is the same one. */
  two: TokensApp
  dns: DnsServer
  /** Makes an owner with an issuer, who asks one of the instances. */
  account(name: string, service?: TokensApp): Promise<Account>
}

async function startWorld(t: Test, variables: Record<string, string> = {}): Promise<World> {
  const dns = await startDnsServer(t)
  const shared = { PUBLIC_URL, DNS_RESOLVER: dns.address, LIMITS: 'off', ...variables }
  const one = await startTokensApp(t, shared)
  const two = variables.REDIS_URL ? await startTokensApp(t, shared, { testClock: one.clock }) : one
  return {
    one,
    two,
    dns,
    async account(name, service = one) {
      const api = service.by(await service.newKey(name))
      return { api, ids: await makeOneOfEach(api) }
    }
  }
}

const overRedis = async (t: Test) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return startWorld(t, { REDIS_URL: redis.url })
}

/** Adds a domain and proves it. */
async function prove({ api, ids }: Account, dns: DnsServer, domain: string): Promise<{ id: string }> {
  const { body } = await api.addDomain(ids, { domain })
  dns.publish(body.challengeName, body.challenge)
  const { body: result } = await api.verifyDomain({ ...ids, domainId: body.id })
  if (!result.verified) throw new Error(result.message)
  return body
}

/** Returns the issuer that discovery under a host names; undefined if there is none. */
async function found({ send }: TokensApp, host: string): Promise<string | undefined> {
  const answer = await send({ method: 'GET', url: '/.well-known/openid-configuration', headers: { host } })
  return answer.status === 200 ? answer.body.issuer : undefined
}

async function keysAt({ send }: TokensApp, host: string): Promise<string> {
  return JSON.stringify((await send({ method: 'GET', url: '/.well-known/jwks', headers: { host } })).body)
}

const byPath = ({ ids }: Account) => `${PUBLIC_URL}/${ids.providerId}`

for (const [where, start] of [
  ['in memory', (t: Test) => startWorld(t)],
  ['over Redis, on two instances', overRedis]
] as const) {
  t.test(where, async (t) => {
    const world = await start(t)
    const { one, two, dns } = world
    const { clock } = one
    const [alice, bob] = [await world.account('alice', one), await world.account('bob', two)]

    await t.test('of all who add a domain at once one gets it', async (t) => {
      for (let round = 0; round < 15; round++) {
        const domain = `race-${round}.example`
        const answers = await Promise.all(
          [alice, bob, alice, bob, bob, alice].map(({ api, ids }) => api.addDomain(ids, { domain }))
        )
        const statuses = answers.map(({ status }) => status).sort()
        t.strictSame(statuses, [201, 409, 409, 409, 409, 409], domain)
        const listed = await Promise.all([alice, bob].map(({ api, ids }) => api.listDomains(ids)))
        const entries = listed.flatMap(({ body }) => body).filter((one: { domain: string }) => one.domain === domain)
        t.equal(entries.length, 1, 'and nobody else has it listed')
      }
    })

    await t.test('what is added is kept for who added it for a day', async (t) => {
      const domain = 'waiting.example'
      const { body: first } = await alice.api.addDomain(alice.ids, { domain })
      clock.advance(DAY_MS)
      t.equal((await bob.api.addDomain(bob.ids, { domain })).status, 409)
      dns.publish(first.challengeName, first.challenge)
      t.equal((await alice.api.verifyDomain({ ...alice.ids, domainId: first.id })).body.verified, true)
      clock.advance(30 * DAY_MS)
      t.equal((await bob.api.addDomain(bob.ids, { domain })).status, 409, 'and once it is proved for good')
      t.equal(await found(one, domain), `https://${domain}`)
    })

    await t.test('what nobody proves lapses after it, for whoever comes next', async (t) => {
      const domain = 'lapsed.example'
      const { body: first } = await alice.api.addDomain(alice.ids, { domain })
      const place = { ...alice.ids, domainId: first.id }
      clock.advance(DAY_MS + 1)
      const { status, body: second } = await bob.api.addDomain(bob.ids, { domain })
      t.equal(status, 201)
      t.equal((await alice.api.addDomain(alice.ids, { domain })).status, 409, 'the day of the second begins')

      dns.publish(first.challengeName, first.challenge, second.challenge)
      const late = await alice.api.verifyDomain(place)
      t.strictSame([late.status, late.body.verified], [200, false], 'who comes late has lost it')
      t.equal(late.body.message, `${domain} belongs to another provider by now.`)
      t.equal(await found(one, domain), undefined)
      t.equal((await bob.api.verifyDomain({ ...bob.ids, domainId: second.id })).body.verified, true)
      clock.advance(1_000)
      t.equal(await found(one, domain), `https://${domain}`)
      t.equal(issuerOf(await mint(bob.api, bob.ids)), `https://${domain}`)

      t.equal((await alice.api.deleteDomain(place)).status, 204, 'what is left of the first can be taken away')
      clock.advance(1_000)
      t.equal(await found(two, domain), `https://${domain}`, 'and takes nothing from the second')
      t.equal((await alice.api.addDomain(alice.ids, { domain })).status, 409)
    })

    await t.test('who lapsed may still prove it while nobody came', async (t) => {
      const { body } = await alice.api.addDomain(alice.ids, { domain: 'late.example' })
      clock.advance(3 * DAY_MS)
      dns.publish(body.challengeName, body.challenge)
      t.equal((await alice.api.verifyDomain({ ...alice.ids, domainId: body.id })).body.verified, true)
      t.equal((await bob.api.addDomain(bob.ids, { domain: 'late.example' })).status, 409)
    })

    await t.test('verified at once by everybody who may, it is verified once', async (t) => {
      const { body } = await bob.api.addDomain(bob.ids, { domain: 'eager.example' })
      dns.publish(body.challengeName, body.challenge)
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => bob.api.verifyDomain({ ...bob.ids, domainId: body.id }))
      )
      for (const answer of answers) t.strictSame([answer.status, answer.body.verified], [200, true])
    })
  })
}

t.test('tokens carry the first of the verified domains, and the default without one', async (t) => {
  const { one, dns, account } = await startWorld(t)
  const alice = await account('alice')
  const { api, ids } = alice
  const iss = async (wish = {}) => issuerOf(await mint(api, ids, wish))
  t.equal(await iss(), byPath(alice))
  const second = await prove(alice, dns, 'second.example')
  t.equal(await iss(), 'https://second.example')
  const { body: unproved } = await api.addDomain(ids, { domain: 'unproved.example' })
  const third = await prove(alice, dns, 'third.example')
  t.equal(await iss(), 'https://second.example', 'a later one changes nothing for who trusts the first')
  for (const host of ['second.example', 'third.example']) t.equal(await found(one, host), `https://${host}`)

  await api.deleteDomain({ ...ids, domainId: unproved.id })
  t.equal(await iss(), 'https://second.example')
  await api.deleteDomain({ ...ids, domainId: second.id })
  t.equal(await iss(), 'https://third.example', 'the next one takes its place')
  t.equal(await found(one, 'second.example'), undefined, 'nothing is found there any more, at once')
  t.equal(await found(one, 'third.example'), 'https://third.example')
  await api.deleteDomain({ ...ids, domainId: third.id })
  t.equal(await iss(), byPath(alice), 'and without one it is the default again')
  t.equal(await iss({ forceDefaultDomain: true }), byPath(alice))
  t.equal(await found(one, 'third.example'), undefined)
})

t.test('a domain that changes hands has the keys of its new provider, and no other', async (t) => {
  const { one, two, dns, account } = await overRedis(t)
  const [alice, bob] = [await account('alice', one), await account('bob', two)]
  const domain = 'sold.example'
  const { id } = await prove(alice, dns, domain)
  const before = [await keysAt(one, domain), await keysAt(two, domain)]
  t.equal(before[0], before[1])
  await alice.api.deleteDomain({ ...alice.ids, domainId: id })
  t.equal(await found(one, domain), undefined, 'gone at once where it was deleted')
  one.clock.advance(1_000)
  t.equal(await found(two, domain), undefined, 'and within a second everywhere')

  await prove(bob, dns, domain)
  t.equal(await found(two, domain), `https://${domain}`, 'there at once where it was verified')
  one.clock.advance(1_000)
  const after = [await keysAt(one, domain), await keysAt(two, domain)]
  t.equal(after[0], after[1])
  t.not(after[0], before[0])
  t.equal(issuerOf(await mint(alice.api, alice.ids)), byPath(alice))
  t.equal(issuerOf(await mint(bob.api, bob.ids)), `https://${domain}`)
  t.equal((await bob.api.deleteProvider(bob.ids)).status, 204)
  t.equal(await found(two, domain), undefined)
  const again = await prove(alice, dns, domain)
  t.ok(again.id, 'and free for the first once more')
})
