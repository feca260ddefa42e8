/** The contract of every engine's signing key store: `SigningKeyStore` of src/core/tokens/signing-key.ts. */
import type { Test } from 'tap'
import type { StoredSigningKey } from '../../src/core/tokens/signing-key.js'
import { type StartEngine, times } from './engine.js'

export function signingKeyOf(kid: string): StoredSigningKey {
  return {
    kid,
    alg: 'ES256',
    publicJwk: { kty: 'EC', crv: 'P-256', x: `x of ${kid}`, y: 'ü\n' },
    sealedPrivateKey: `v1.sealed.${kid}`,
    createdAtMs: 1_700_000_000_123,
    signsFromMs: 1_700_000_360_123,
    predecessorsUntilMs: 1_702_592_420_123
  }
}

const kidsOf = (keys: StoredSigningKey[]) => keys.map(({ kid }) => kid).sort()

export function signingKeyStoreContract(t: Test, start: StartEngine): void {
  t.test('at first there is no key, and asking makes none', async (t) => {
    const { storage } = await start(t)
    t.same(await storage.signingKeys.list(), [])
    t.same(await storage.signingKeys.list(), [])
  })

  t.test('a key comes back as it was, from every instance', async (t) => {
    const { storage, other } = await start(t)
    t.same(await storage.signingKeys.succeed(undefined, signingKeyOf('a'), []), [signingKeyOf('a')])
    t.same(await other.signingKeys.list(), [signingKeyOf('a')])
  })

  t.test('a key follows the newest one, and nothing else', async (t) => {
    const { signingKeys } = (await start(t)).storage
    t.same(kidsOf(await signingKeys.succeed('never there', signingKeyOf('x'), [])), [], 'of what is not there')
    t.same(kidsOf(await signingKeys.succeed(undefined, signingKeyOf('a'), [])), ['a'])
    t.same(kidsOf(await signingKeys.succeed(undefined, signingKeyOf('x'), [])), ['a'], 'there is one already')
    t.same(kidsOf(await signingKeys.succeed('a', signingKeyOf('b'), [])), ['a', 'b'])
    t.same(kidsOf(await signingKeys.succeed('a', signingKeyOf('x'), [])), ['a', 'b'], 'a is no longer the newest')
    t.same(kidsOf(await signingKeys.succeed('b', signingKeyOf('c'), [])), ['a', 'b', 'c'])
    t.same(kidsOf(await signingKeys.list()), ['a', 'b', 'c'])
  })

  t.test('obsolete keys go with a succession, and with no other', async (t) => {
    const { signingKeys } = (await start(t)).storage
    await signingKeys.succeed(undefined, signingKeyOf('a'), [])
    await signingKeys.succeed('a', signingKeyOf('b'), [])
    t.same(
      kidsOf(await signingKeys.succeed('a', signingKeyOf('x'), ['a', 'b'])),
      ['a', 'b'],
      'who lost the race drops nothing'
    )
    t.same(kidsOf(await signingKeys.succeed('b', signingKeyOf('c'), ['a', 'never there'])), ['b', 'c'])
  })

  t.test('a succession applied twice is the same as once', async (t) => {
    const { signingKeys } = (await start(t)).storage
    await signingKeys.succeed(undefined, signingKeyOf('a'), [])
    const once = await signingKeys.succeed('a', signingKeyOf('b'), [])
    t.same(await signingKeys.succeed('a', signingKeyOf('b'), []), once)
    t.same(kidsOf(await signingKeys.succeed('b', signingKeyOf('c'), ['a'])), ['b', 'c'], 'and the next one can follow')
  })

  t.test('of 20 that make the first key at once one does, and all learn which', async (t) => {
    const { storage, other } = await start(t)
    const race = (predecessor: string | undefined, name: string) =>
      Promise.all(
        times(20, (i) =>
          (i % 2 === 0 ? storage : other).signingKeys.succeed(predecessor, signingKeyOf(`${name}${i}`), [])
        )
      )
    const answers = await race(undefined, 'first')
    const [[winner] = []] = answers
    for (const answer of answers) t.same(answer, [winner])
    const rotations = await race(winner?.kid, 'second')
    for (const answer of rotations) t.same(kidsOf(answer), kidsOf(rotations[0] ?? []))
    t.equal((await storage.signingKeys.list()).length, 2, 'and of 20 that rotate it')
  })

  t.test(
    'keys that are destroyed are gone for every instance, and do not come back by a late succession',
    async (t) => {
      const { storage, other } = await start(t)
      const { signingKeys } = storage
      await signingKeys.clear()
      t.same(await signingKeys.list(), [], 'where there is none, nothing happens')
      await signingKeys.succeed(undefined, signingKeyOf('a'), [])
      await signingKeys.succeed('a', signingKeyOf('b'), [])
      await other.signingKeys.clear()
      await other.signingKeys.clear()
      t.same(await signingKeys.list(), [])
      t.same(await signingKeys.succeed('b', signingKeyOf('c'), ['a']), [], 'of a key that is destroyed')
      t.same(await other.signingKeys.list(), [])
      t.same(kidsOf(await signingKeys.succeed(undefined, signingKeyOf('d'), [])), ['d'], 'only a first one can follow')
    }
  )

  t.test('each provider has keys of its own, and none of the service’s', async (t) => {
    const { storage, other } = await start(t)
    const owners = ['p', 'q', 'p:q', '{p}', 'ü', '__proto__', '']
    await storage.signingKeys.succeed(undefined, signingKeyOf('own'), [])
    for (const owner of owners) {
      t.same(await storage.signingKeysOf(owner).list(), [], `${owner}: none at first`)
      const made = await storage.signingKeysOf(owner).succeed(undefined, signingKeyOf(`first of ${owner}`), [])
      t.same(kidsOf(made), [`first of ${owner}`])
    }
    await other.signingKeysOf('p').succeed('first of p', signingKeyOf('second of p'), [])
    t.same(kidsOf(await storage.signingKeysOf('p').list()), ['first of p', 'second of p'], 'the same on every instance')
    await other.signingKeysOf('p').clear()
    t.same(await storage.signingKeysOf('p').list(), [])
    for (const owner of owners.slice(1)) {
      t.same(kidsOf(await storage.signingKeysOf(owner).list()), [`first of ${owner}`], `${owner}: nobody else’s go`)
    }
    t.same(await storage.signingKeys.list(), [signingKeyOf('own')])
    await storage.signingKeys.clear()
    t.same(kidsOf(await other.signingKeysOf('q').list()), ['first of q'], 'nor with those of the service')
  })
}
