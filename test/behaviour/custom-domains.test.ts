/**
 * A domain belongs to the issuer that proved it last, and proves it again every week. A claim that is not proven blocks
 * nobody, and tokens name the domain exactly as long as discovery there answers for their issuer.
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

/** Returns the issuer that discovery under a host names; undefined if the host is nobody's, and so the service's own. */
async function found({ send }: TokensApp, host: string): Promise<string | undefined> {
  const answer = await send({ method: 'GET', url: '/.well-known/openid-configuration', headers: { host } })
  return answer.status === 200 && answer.body.issuer !== PUBLIC_URL ? answer.body.issuer : undefined
}

async function keysAt({ send }: TokensApp, host: string): Promise<string> {
  return JSON.stringify((await send({ method: 'GET', url: '/.well-known/jwks', headers: { host } })).body)
}

/** Waits for the checks of domains that are under way. */
const checked = async ({ one, two }: World) => {
  for (const { app } of [one, two]) await app.core.domainChecks.settle()
}

/** Returns the metrics of both instances. */
const metricsOf = async ({ one, two }: World) =>
  (await Promise.all([...new Set([one, two])].map(({ app }) => app.metrics.text()))).join('\n')

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

    await t.test('everybody may add a domain that nobody has proved, once for each provider', async (t) => {
      for (let round = 0; round < 15; round++) {
        const domain = `race-${round}.example`
        const answers = await Promise.all(
          [alice, bob, alice, bob, bob, alice].map(({ api, ids }) => api.addDomain(ids, { domain }))
        )
        const statuses = answers.map(({ status }) => status).sort()
        t.strictSame(statuses, [201, 201, 409, 409, 409, 409], domain)
        for (const { api, ids } of [alice, bob]) {
          const { body: listed } = await api.listDomains(ids)
          t.equal(
            listed.filter((one: { domain: string }) => one.domain === domain).length,
            1,
            'each has it listed once'
          )
        }
      }
    })

    await t.test('what is proved is kept as long as it is published', async (t) => {
      const domain = 'kept.example'
      await prove(alice, dns, domain)
      for (let weeks = 0; weeks < 5; weeks++) {
        clock.advance(7 * DAY_MS)
        t.equal((await bob.api.addDomain(bob.ids, { domain })).status, 409)
        t.equal(await found(one, domain), `https://${domain}`)
        await checked(world)
      }
      dns.fail(`_grant-challenge.${domain}`, 'SERVFAIL')
      t.equal((await bob.api.addDomain(bob.ids, { domain })).status, 409, 'and while nobody can say that it is not')
    })

    await t.test(
      'a host is a provider’s within a second of the proof on every instance, and as soon nobody’s',
      async (t) => {
        const domain = 'soon.example'
        const at = async ({ send }: TokensApp, url: string) =>
          (await send({ method: 'GET', url, headers: { host: domain } })).status
        for (const instance of [one, two]) {
          t.strictSame([await found(instance, domain), await at(instance, '/metrics')], [undefined, 200])
        }
        const { id } = await prove(alice, dns, domain)
        t.strictSame(
          [await found(one, domain), await at(one, '/metrics')],
          [`https://${domain}`, 404],
          'where it was proved'
        )
        clock.advance(1_000)
        t.strictSame([await found(two, domain), await at(two, '/metrics')], [`https://${domain}`, 404])
        t.equal((await alice.api.deleteDomain({ ...alice.ids, domainId: id })).status, 204)
        t.strictSame([await found(one, domain), await at(one, '/metrics')], [undefined, 200], 'where it was deleted')
        clock.advance(1_000)
        t.strictSame([await found(two, domain), await at(two, '/metrics')], [undefined, 200])
      }
    )

    await t.test('the fresher proof wins, and nothing older wins it back', async (t) => {
      const domain = 'fresh.example'
      const [alice, bob] = [await world.account('al', one), await world.account('bo', two)]
      const { body: first } = await alice.api.addDomain(alice.ids, { domain })
      const { body: second } = await bob.api.addDomain(bob.ids, { domain })
      const [ofAlice, ofBob] = [
        { ...alice.ids, domainId: first.id },
        { ...bob.ids, domainId: second.id }
      ]
      dns.publish(first.challengeName, first.challenge, second.challenge)
      t.equal((await alice.api.verifyDomain(ofAlice)).body.verified, true)
      t.equal(issuerOf(await mint(alice.api, alice.ids)), `https://${domain}`)
      const keys = await keysAt(one, domain)
      clock.advance(1_000)

      t.equal((await bob.api.verifyDomain(ofBob)).body.verified, true)
      clock.advance(1_000)
      t.equal(await found(one, domain), `https://${domain}`)
      t.not(await keysAt(one, domain), keys, 'with the keys of the second')
      t.not(issuerOf(await mint(alice.api, alice.ids)), `https://${domain}`, 'the tokens of the first name it no more')
      t.equal(issuerOf(await mint(bob.api, bob.ids)), `https://${domain}`)

      const { body: lost } = await alice.api.getDomain(ofAlice)
      t.equal(lost.verified, false)
      t.not(lost.challenge, first.challenge)
      const again = await alice.api.verifyDomain(ofAlice)
      t.strictSame([again.status, again.body.verified], [200, false])
      t.equal(again.body.message, `${first.challengeName} has TXT records, but none is the challenge.`)
      t.equal((await bob.api.getDomain(ofBob)).body.verified, true)

      dns.publish(first.challengeName, lost.challenge)
      clock.advance(1_000)
      t.equal((await alice.api.verifyDomain(ofAlice)).body.verified, true, 'a proof of now does')
      t.equal((await bob.api.getDomain(ofBob)).body.verified, false)
      t.equal((await bob.api.deleteDomain(ofBob)).status, 204)
      clock.advance(1_000)
      t.equal(await found(two, domain), `https://${domain}`, 'and what is left of the second takes nothing from it')
      t.match(await metricsOf(world), /grantd_domain_checks_total\{outcome="taken_over"\} [1-9]/)
    })

    await t.test('a domain that was sold need not be waited for', async (t) => {
      const domain = 'sold-on.example'
      const [alice, bob] = [await world.account('ada', one), await world.account('ben', two)]
      await prove(alice, dns, domain)
      dns.fail(`_grant-challenge.${domain}`, 'NXDOMAIN')
      await prove(bob, dns, domain)
      t.equal(issuerOf(await mint(bob.api, bob.ids)), `https://${domain}`)
    })

    await t.test('who comes late may still prove it', async (t) => {
      const { body } = await alice.api.addDomain(alice.ids, { domain: 'late.example' })
      clock.advance(3 * DAY_MS)
      dns.publish(body.challengeName, body.challenge)
      t.equal((await alice.api.verifyDomain({ ...alice.ids, domainId: body.id })).body.verified, true)
      t.equal((await bob.api.addDomain(bob.ids, { domain: 'late.example' })).status, 409)
    })

    await t.test('a domain whose challenge goes away is lost after a grace, and no other', async (t) => {
      const [domain, other] = ['gone.example', 'honest.example']
      const [carol, dave] = [await world.account('carol', one), await world.account('dave', two)]
      const { id } = await prove(carol, dns, domain)
      await prove(dave, dns, other)
      const place = { ...carol.ids, domainId: id }
      const challengeName = `_grant-challenge.${domain}`
      const use = async () => {
        await found(one, domain)
        await found(two, other)
        await checked(world)
      }
      const asked = () => dns.asked.filter((name) => name === challengeName).length
      const before = asked()
      clock.advance(7 * DAY_MS - 1)
      await use()
      t.equal(asked(), before, 'a proof is good for a week')
      clock.advance(3_600_000)
      await use()
      t.equal(asked(), before + 1, 'and then made again, once over all instances')
      const { challenge } = (await carol.api.getDomain(place)).body

      dns.fail(challengeName, 'SERVFAIL')
      clock.advance(20 * DAY_MS)
      await use()
      t.equal((await carol.api.getDomain(place)).body.verified, true, 'nobody to ask is no proof of anything')
      dns.fail(challengeName, 'NXDOMAIN')
      clock.advance(DAY_MS)
      await use()
      const { body: warned } = await carol.api.verifyDomain(place)
      t.equal(warned.verified, true, 'the grace begins')
      t.match(
        warned.message,
        /^gone\.example is verified until \d{4}-.*, unless its challenge comes back\. There is no TXT/
      )
      dns.publish(challengeName, challenge)
      t.equal((await carol.api.verifyDomain(place)).body.message, `${domain} is verified.`, 'and may end well')

      dns.publish(challengeName, 'another')
      clock.advance(8 * DAY_MS)
      await use()
      clock.advance(3 * DAY_MS - 1)
      await use()
      t.equal(issuerOf(await mint(carol.api, carol.ids)), `https://${domain}`)
      await checked(world)
      clock.advance(3_600_000)
      await use()
      clock.advance(1_000)
      t.equal(await found(one, domain), undefined)
      t.equal(issuerOf(await mint(carol.api, carol.ids)), byPath(carol))
      t.equal((await carol.api.getDomain(place)).body.verified, false)
      t.match(await metricsOf(world), /outcome="lost"\} 1$/m)
      t.equal(await found(two, other), `https://${other}`)
      t.equal(issuerOf(await mint(dave.api, dave.ids)), `https://${other}`)
      dns.publish(challengeName, challenge)
      t.equal((await carol.api.verifyDomain(place)).body.verified, true, 'and the same challenge proves it again')
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

/** Holds the next call of a method of a store until it is let go. */
function holdNext<K extends string>(store: Record<K, (...sent: never[]) => Promise<unknown>>, method: K) {
  const original = store[method]
  let letGo = () => {}
  const free = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let reach = () => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  store[method] = (async (...sent: never[]) => {
    store[method] = original
    reach()
    await free
    return original.apply(store, sent)
  }) as (typeof store)[K]
  return { reached, letGo: () => letGo() }
}

t.test('a domain that is verified while another one is deleted: tokens carry one that is there', async (t) => {
  const world = await overRedis(t)
  const { one, two, dns } = world
  const start = async (name: string, first: string, second: string) => {
    const account = await world.account(name)
    const { body: a } = await account.api.addDomain(account.ids, { domain: first })
    const { body: b } = await account.api.addDomain(account.ids, { domain: second })
    for (const { challengeName, challenge } of [a, b]) dns.publish(challengeName, challenge)
    const there = two.by(await two.newKey(name))
    const [ofA, ofB] = [a, b].map(({ id }) => ({ ...account.ids, domainId: id }))
    return { ...account, there, ofA: ofA ?? {}, ofB: ofB ?? {} }
  }
  const issuers = ({ app }: TokensApp) => app.storage.issuers as never as Parameters<typeof holdNext<'change'>>[0]

  await t.test('the verified one is deleted before the other instance writes that it is the first', async (t) => {
    const { api, there, ids, ofA, ofB } = await start('late-write', 'a1.example', 'b1.example')
    t.equal((await api.verifyDomain(ofB)).body.verified, true)
    const held = holdNext(issuers(one), 'change')
    const verifying = api.verifyDomain(ofA)
    await held.reached
    t.equal((await there.deleteDomain(ofA)).status, 204)
    held.letGo()
    t.equal((await verifying).status, 404, 'it is gone by now')
    t.equal(issuerOf(await mint(api, ids)), 'https://b1.example')
    one.clock.advance(1_000)
    t.equal(await found(two, 'a1.example'), undefined)
    t.equal(await found(one, 'b1.example'), 'https://b1.example')
  })

  await t.test('the other one is verified before the deleting instance writes that there is none', async (t) => {
    const { api, there, ids, ofA, ofB } = await start('late-none', 'a2.example', 'b2.example')
    t.equal((await api.verifyDomain(ofA)).body.verified, true)
    const held = holdNext(issuers(two), 'change')
    const deleting = there.deleteDomain(ofA)
    await held.reached
    t.equal((await api.verifyDomain(ofB)).body.verified, true)
    held.letGo()
    t.equal((await deleting).status, 204)
    t.equal(issuerOf(await mint(api, ids)), 'https://b2.example')
    one.clock.advance(1_000)
    t.equal(await found(one, 'a2.example'), undefined)
    t.equal(await found(two, 'b2.example'), 'https://b2.example')
  })

  await t.test('one domain is deleted while it is being verified: it is free', async (t) => {
    const { api, there, ids, ofA } = await start('gone', 'a3.example', 'b3.example')
    const held = holdNext(one.app.storage.domainHolders as never as Record<'create', () => Promise<unknown>>, 'create')
    const verifying = api.verifyDomain(ofA)
    await held.reached
    t.equal((await there.deleteDomain(ofA)).status, 204)
    held.letGo()
    t.equal((await verifying).status, 404)
    t.equal(issuerOf(await mint(api, ids)), `${PUBLIC_URL}/${ids.providerId}`)
    one.clock.advance(1_000)
    t.equal(await found(one, 'a3.example'), undefined)
    const other = await world.account('next')
    t.ok(await prove(other, dns, 'a3.example'))
  })

  await t.test('one domain is deleted while it is proved against its holder: no token names it any more', async (t) => {
    const holder = await world.account('holder')
    const { id } = await prove(holder, dns, 'a5.example')
    t.equal(issuerOf(await mint(holder.api, holder.ids)), 'https://a5.example')
    dns.publish('_grant-challenge.a5.example', 'nothing')
    const { api, there, ofA } = await start('passing', 'a5.example', 'b5.example')
    const held = holdNext(one.app.storage.domainHolders as never as Record<'create', () => Promise<unknown>>, 'create')
    const verifying = api.verifyDomain(ofA)
    await held.reached
    t.equal((await there.deleteDomain(ofA)).status, 204)
    held.letGo()
    t.equal((await verifying).status, 404)
    one.clock.advance(1_000)
    t.equal(await found(one, 'a5.example'), undefined)
    t.equal(issuerOf(await mint(holder.api, holder.ids)), byPath(holder))
    const { body } = await holder.api.getDomain({ ...holder.ids, domainId: id })
    t.equal(body.verified, false)
    dns.publish(body.challengeName, body.challenge)
    t.equal((await holder.api.verifyDomain({ ...holder.ids, domainId: id })).body.verified, true, 'free for them')
    t.equal(issuerOf(await mint(holder.api, holder.ids)), 'https://a5.example')
  })

  await t.test('two providers prove one domain at once: one has it, and the other knows', async (t) => {
    const [mine, other] = [await world.account('first', one), await world.account('second', two)]
    const { body: a } = await mine.api.addDomain(mine.ids, { domain: 'a4.example' })
    const { body: b } = await other.api.addDomain(other.ids, { domain: 'a4.example' })
    dns.publish(a.challengeName, a.challenge, b.challenge)
    const held = holdNext(one.app.storage.domains as never as Record<'change', () => Promise<unknown>>, 'change')
    const verifying = mine.api.verifyDomain({ ...mine.ids, domainId: a.id })
    await held.reached
    t.equal((await other.api.verifyDomain({ ...other.ids, domainId: b.id })).body.verified, true)
    held.letGo()
    t.match((await verifying).body, { verified: false, message: 'a4.example belongs to another provider by now.' })
    t.equal(issuerOf(await mint(mine.api, mine.ids)), byPath(mine))
    t.equal(issuerOf(await mint(other.api, other.ids)), 'https://a4.example')
    t.equal((await mine.api.getDomain({ ...mine.ids, domainId: a.id })).body.verified, false)
  })
})

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
