import { createHmac, randomUUID } from 'node:crypto'
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importPKCS8,
  jwtVerify,
  SignJWT
} from 'jose'
import t, { type Test } from 'tap'
import type { Authorization } from '../../../src/core/authorizations/authorization.js'
import { createKeyring } from '../../../src/core/secrets/keyring.js'
import type { AccessTokenClaims, TokenTerms } from '../../../src/core/tokens/access-tokens.js'
import type { SigningKey } from '../../../src/core/tokens/signing-key.js'
import { startApp } from '../../support/app.js'

const ISSUER = 'https://grants.example'

async function service(t: Test, alg = 'ES256', variables: Record<string, string> = {}) {
  const { app, clock } = await startApp(t, { PUBLIC_URL: ISSUER, SIGNING_ALG: alg, ...variables })
  const key = app.core.signingKeys.current() as SigningKey
  const createdAtMs = clock()
  const client: Authorization = {
    id: randomUUID(),
    userId: 'alice',
    clientId: 'cli',
    clientType: 'cli',
    scopes: [],
    name: 'tool',
    version: undefined,
    label: 'laptop',
    ipAtGrant: '192.0.2.1',
    createdAtMs,
    expiresAtMs: (Math.floor(createdAtMs / 1000) + 2_592_000) * 1000,
    lastUsedAtMs: undefined,
    revokedAtMs: undefined
  }
  const terms: TokenTerms = { issuedAtMs: createdAtMs, expiresAtMs: client.expiresAtMs, scopes: [] }
  const token = app.core.accessTokens.mint(client, terms)
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as AccessTokenClaims

  /** Verifies a token in two steps: the key that it names, then its signature and claims. */
  async function verify(token: string): Promise<AccessTokenClaims | undefined> {
    const opened = await app.core.accessTokens.open(token)
    return opened.kind === 'good' ? opened.claims : undefined
  }

  /** Signs a wrong token with a key of the service. */
  async function forge(change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
    const payload = Object.fromEntries(
      Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined)
    )
    return new SignJWT(payload)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
      .sign(await importPKCS8(key.privateKey, key.alg))
  }

  return { app, clock, key, client, terms, token, claims, verify, forge }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  t.test(`a client JWT signed with ${alg}`, async (t) => {
    const { app, clock, key, client, token, claims, verify } = await service(t, alg)

    t.test('says what the contract says, and no more', async (t) => {
      t.same(decodeProtectedHeader(token), { alg, typ: 'at+jwt', kid: key.kid })
      t.same(claims, {
        iss: ISSUER,
        sub: 'alice',
        aud: ISSUER,
        iat: Math.floor(client.createdAtMs / 1000),
        exp: Math.floor(client.createdAtMs / 1000) + 2_592_000,
        jti: client.id,
        cid: client.id,
        client_id: 'cli',
        client_type: 'cli',
        scope: ''
      })
    })

    t.test('is good here', async (t) => {
      t.same(await verify(token), claims)
    })

    t.test('is good for whoever reads the published keys', async (t) => {
      const keySet = createLocalJWKSet({ keys: app.core.signingKeys.published() })
      const options = {
        issuer: ISSUER,
        audience: ISSUER,
        typ: 'at+jwt',
        algorithms: [alg],
        currentDate: new Date(clock())
      }
      t.same((await jwtVerify(token, keySet, options)).payload, claims)
    })

    t.test('is not good when any of its signature is changed', async (t) => {
      const [header, payload, signature = ''] = token.split('.')
      const bytes = Buffer.from(signature, 'base64url')
      for (let i = 0; i < bytes.length; i++) {
        const changed = Buffer.from(bytes)
        changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8))
        const other = `${header}.${payload}.${changed.toString('base64url')}`
        if ((await verify(other)) !== undefined) t.fail(`byte ${i} does not matter`)
      }
      t.ok(bytes.length >= 64)
      for (const other of ['', bytes.subarray(1).toString('base64url'), bytes.subarray(0, -1).toString('base64url')]) {
        t.equal(await verify(`${header}.${payload}.${other}`), undefined, 'cut')
      }
    })

    t.test('is not good when any claim is changed', async (t) => {
      const [header, , signature] = token.split('.')
      for (const change of [{ sub: 'mallory' }, { cid: 'x', jti: 'x' }, { exp: claims.exp + 1 }, { scope: 'admin' }]) {
        t.equal(await verify(`${header}.${encode({ ...claims, ...change })}.${signature}`), undefined)
      }
    })
  })
}

t.test('minted again from the same client it is the same authorization', async (t) => {
  const { app, client, claims, clock, terms } = await service(t, 'EdDSA')
  clock.advance(20_000)
  const again = app.core.accessTokens.mint(client, terms)
  t.same(JSON.parse(Buffer.from(again.split('.')[1] ?? '', 'base64url').toString()), claims)
})

t.test('a token that our key signed', async (t) => {
  const { clock, claims, forge, verify, key } = await service(t)
  const seconds = Math.floor(clock() / 1000)

  t.test('is good as it is', async (t) => {
    t.same(await verify(await forge()), claims, 'so that what follows fails for its own reason')
    t.ok(await verify(await forge({ nbf: seconds - 1 })))
    t.ok(await verify(await forge({ something: 'else' })), 'a claim nobody asked for is no harm')
  })

  const wrong: Record<string, [Record<string, unknown>, Record<string, unknown>?]> = {
    'another typ': [{}, { typ: 'JWT' }],
    'the typ of an ID token': [{}, { typ: 'id+jwt' }],
    'no typ': [{}, { typ: undefined }],
    'another kid': [{}, { kid: 'another' }],
    'no kid': [{}, { kid: undefined }],
    'another issuer': [{ iss: 'https://other.example' }],
    'an issuer with a slash more': [{ iss: `${ISSUER}/` }],
    'another audience': [{ aud: 'https://other.example' }],
    'an empty audience': [{ aud: [] }],
    'an expiry that has come': [{ exp: seconds - 1 }],
    'an expiry long ago': [{ exp: 1 }],
    'an expiry that is a text': [{ exp: `${seconds + 1000}` }],
    'a time that has not come': [{ nbf: seconds + 60 }],
    'another jti than its cid': [{ jti: 'another' }],
    'a client type nobody knows': [{ client_type: 'admin' }],
    'a client type of JavaScript': [{ client_type: '__proto__' }],
    'a subject that is no text': [{ sub: 7 }],
    'a cid that is no text': [{ cid: 7, jti: 7 }],
    ...Object.fromEntries(
      ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_type'].map((name) => [
        `no ${name}`,
        [{ [name]: undefined }]
      ])
    )
  }
  for (const [name, [change, header]] of Object.entries(wrong)) {
    t.test(`is not good with ${name}`, async (t) => {
      t.equal(await verify(await forge(change, header)), undefined)
    })
  }

  t.test('is good until its last millisecond', async (t) => {
    const { clock, forge, verify } = await service(t)
    const exp = Math.floor(clock() / 1000) + 100
    const token = await forge({ exp })
    clock.advance(exp * 1000 - clock() - 1)
    t.ok(await verify(token))
    // The JWT library accepts a token in the very millisecond of its expiry. The record, which is checked next, does
    // not.
    clock.advance(2)
    t.equal(await verify(token), undefined)
  })

  t.test('is not made of one with no algorithm or another one', async (t) => {
    const header = { typ: 'at+jwt', kid: key.kid }
    for (const alg of ['none', 'None', 'NONE', '']) {
      t.equal(await verify(`${encode({ ...header, alg })}.${encode(claims)}.`), undefined, `alg "${alg}"`)
    }
    for (const secret of [key.publicKey, key.publicKey.trim(), key.kid, '']) {
      const signed = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`
      const signature = createHmac('sha256', secret).update(signed).digest('base64url')
      t.equal(await verify(`${signed}.${signature}`), undefined, 'HS256 with what is public')
    }
  })

  t.test('is not made of one that somebody else’s key signed in its name', async (t) => {
    for (const alg of ['ES256', 'RS256', 'EdDSA']) {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
      const header = { alg, kid: key.kid, typ: 'at+jwt' }
      t.equal(
        await verify(await new SignJWT({ ...claims }).setProtectedHeader(header).sign(privateKey)),
        undefined,
        alg
      )
      const jwk = await exportJWK(publicKey)
      const brought = { ...header, jwk, jku: 'https://evil.example/jwks', x5u: 'https://evil.example' }
      t.equal(await verify(await new SignJWT({ ...claims }).setProtectedHeader(brought).sign(privateKey)), undefined)
    }
  })

  t.test('is not good with an extension it calls critical', async (t) => {
    const header = { alg: key.alg, kid: key.kid, typ: 'at+jwt', crit: ['exp'], exp: 1 }
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader(header)
      .sign(await importPKCS8(key.privateKey, key.alg), { crit: { exp: true } })
    t.equal(await verify(token), undefined)
  })
})

t.test('a key verifies its own algorithm and its own kind of token alone', async (t) => {
  const { key, claims, forge, verify } = await service(t, 'RS256')
  t.ok(await verify(await forge()))
  for (const alg of ['RS384', 'RS512', 'PS256']) {
    const header = { alg, kid: key.kid, typ: 'at+jwt' }
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader(header)
      .sign(await importPKCS8(key.privateKey, alg))
    t.equal(await verify(token), undefined, `${alg} with a key for RS256`)
  }
  for (const typ of ['JWT', 'id+jwt', undefined]) {
    t.equal(await verify(await forge({}, { typ })), undefined, `typ ${typ}`)
  }
})

t.test('the key a token names', async (t) => {
  const { app, key, claims } = await service(t)
  const kindOf = async (header: Record<string, unknown>) => {
    const token = [{ alg: key.alg, ...header }, claims].map((part) => encode(part)).join('.')
    return (await app.core.accessTokens.open(`${token}.x`)).kind
  }
  t.equal(await kindOf({ typ: 'at+jwt', kid: key.kid }), 'bad', 'ours by its header, and not signed by us')
  t.equal(await kindOf({ typ: 'AT+JWT', kid: key.kid }), 'bad', 'typ is compared without regard to case')
  for (const header of [
    {},
    { typ: 'JWT', kid: key.kid },
    { kid: key.kid },
    { typ: 'at+jwt' },
    { typ: ['at+jwt'], kid: key.kid },
    { typ: 'at+jwt', kid: 7 },
    { typ: 'at+jwt', kid: '__proto__' }
  ]) {
    t.equal(await kindOf(header), 'foreign', JSON.stringify(header))
  }
})

t.test(
  'without a PUBLIC_URL the signature decides alone, so that instances with different guesses agree',
  async (t) => {
    const { token, verify } = await service(t, 'ES256', { PUBLIC_URL: '', PORT: '4444' })
    t.equal((await verify(token))?.iss, 'http://localhost:4444')
  }
)

t.test('rotation of the keys', async (t) => {
  const { app, client, clock, terms, token, verify } = await service(t)
  t.test('leaves the tokens of the old key good', async (t) => {
    const { kid } = await app.core.signingKeys.rotate('now')
    clock.advance(1)
    const next = app.core.accessTokens.mint(client, terms)
    t.equal(decodeProtectedHeader(next).kid, kid)
    t.ok(await verify(next))
    t.ok(await verify(token))
  })
  t.test('lets no key verify what another one signed', async (t) => {
    const next = app.core.accessTokens.mint(client, terms)
    const [header, payload] = token.split('.')
    t.equal(await verify(`${header}.${payload}.${next.split('.')[2]}`), undefined)
  })
})

t.test('the private half of a key rests sealed', async (t) => {
  const { app, key } = await service(t)
  const [stored] = await app.storage.signingKeys.list()
  t.notOk(JSON.stringify(stored).includes('PRIVATE'))
  t.throws(() => createKeyring(['x'.repeat(32)]).open('signing-key', key.kid, stored?.sealedPrivateKey ?? ''))
})
