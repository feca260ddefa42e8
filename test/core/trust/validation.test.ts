/** Tokens of foreign issuers: which of them a policy accepts, and the reasons for refusing others. */
import { createPublicKey, sign } from 'node:crypto'
import fc from 'fast-check'
import { CompactEncrypt } from 'jose'
import t, { type Test } from 'tap'
import { holds, isLike } from '../../../src/core/trust/conditions.js'
import { type Condition, OPERATORS } from '../../../src/core/trust/tenant.js'
import type { Answer } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { makeCertificate } from '../../support/certificates.js'
import { effortOf } from '../../support/effort.js'
import { base64url, forge, hmac } from '../../support/forge.js'
import { freePort } from '../../support/ports.js'
import { respelt } from '../../support/tokens.js'
import {
  authority,
  type BareIssuer,
  type BareOptions,
  DISCOVERY,
  type ForgedKey,
  JWKS,
  makeKey,
  startBareIssuer,
  startRealIssuer,
  type TokenParts
} from '../../support/trusted-issuer.js'
import { type RelyingParty, startRelyingParty, type Trusted } from './support.js'

const HOUR_SECONDS = 3_600
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

const NO_JWT = 'It is no signed JWT.'
const SIGNATURE = 'Its signature is not valid.'
const ALGORITHM = 'Its algorithm is not accepted.'
const UNKNOWN_KEY = 'It is signed by a key that the issuer does not publish.'
const EXPIRED = 'It has expired.'
const NOT_YET = 'It is not valid yet.'
const IN_FUTURE = 'It was issued in the future.'
const NO_IAT = 'It has no iat, and the issuer is trusted for tokens of a limited age only.'
const TOO_OLD = 'It was issued too long ago.'
const POLICY_AUDIENCE = 'It is not for the audience of the policy.'
const CONDITIONS = 'It does not meet the conditions of the policy.'
const FINGERPRINTS = 'None of the fingerprints belongs to the certificates of the issuer.'
const notExpected = (claim: string) => `Its ${claim} is not the one that is expected.`

function isValid(t: Test, { status, body }: Answer, why: string) {
  t.match({ status, body }, { status: 200, body: { isValid: true, exp: Number } }, why)
}

function isRefused(t: Test, { status, body }: Answer, message: string, why: string) {
  t.strictSame({ status, body }, { status: 400, body: { code: 'invalid_token', message } }, why)
}

interface SetUp extends RelyingParty {
  issuer: BareIssuer
  trusted: Trusted
  nowSeconds(): number
}

/** Starts an issuer with TLS that is trusted by its certificate. */
async function setUp(t: Test, options: BareOptions = {}): Promise<SetUp> {
  const party = await startRelyingParty(t)
  const issuer = await startBareIssuer(t, { clock: party.clock, ...options })
  const trusted = await party.trustBare(issuer)
  return { ...party, issuer, trusted, nowSeconds: () => Math.floor(party.clock() / 1000) }
}

/** Makes a token of any header and payload, with a signature as in ES256 or RS256. */
function signedBy({ privateKey }: ForgedKey, header: unknown, payload: unknown): string {
  return forge(header, payload, (text) => sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' }))
}

t.test('200', async (t) => {
  t.test('a token of an issuer of this service, over the loopback', async (t) => {
    const port = await freePort()
    const publicUrl = `http://127.0.0.1:${port}`
    const { app, v1, trust, validate } = await startRelyingParty(t, { PUBLIC_URL: publicUrl })
    await app.listen({ port, host: '127.0.0.1' })
    const provider = (await v1('POST', '/providers', { name: 'builds', description: 'of the builds' })).body
    const client = { name: 'nightly', audience: 'relying-party' }
    const { id } = (await v1('POST', `/providers/${provider.id}/clients`, client)).body
    const mint = async (body: object) => (await v1('POST', `/providers/${provider.id}/clients/${id}/tokens`, body)).body
    const conditions: Condition[] = [{ key: 'sub', operator: 'stringEquals', value: id }]
    const trusted = await trust({ url: `${publicUrl}/${provider.id}`, conditions })
    const { accessToken, expiresAt } = await mint({})
    const answer = await validate(accessToken, trusted)
    t.equal(answer.status, 200)
    t.strictSame(answer.body, { isValid: true, exp: Date.parse(expiresAt) / 1000 }, 'and nothing else')
    const other = await mint({ useJwtType: true, audienceAsArray: true })
    isValid(t, await validate(other.accessToken, trusted), 'in the other form')
  })

  t.test('a token of oidc-provider, over TLS', async (t) => {
    const { trust, validate } = await startRelyingParty(t)
    const issuer = await startRealIssuer(t)
    const audience = 'https://api.example.com'
    const trusted = await trust({ url: issuer.url, fingerprints: [issuer.certificate.sha256], audience, hours: 1 })
    isValid(t, await validate(await issuer.token(audience), trusted), 'for its audience')
    const other = await validate(await issuer.token('https://other.example.com'), trusted)
    isRefused(t, other, notExpected('aud'), 'for another')
  })

  t.test('both audiences may be one, or two of many', async (t) => {
    const { issuer, trustBare, validate } = await setUp(t)
    const same = await trustBare(issuer)
    const two = await trustBare(issuer, { policyAudience: 'builds' })
    isValid(t, await validate(await issuer.token({ aud: 'relying-party' }), same), 'a string')
    isValid(t, await validate(await issuer.token({ aud: ['relying-party'] }), same), 'an array of one')
    isValid(t, await validate(await issuer.token({ aud: ['x', 'builds', 'relying-party'] }), two), 'an array of three')
  })

  t.test('a slash at the end of the issuer is no matter, wherever it stands', async (t) => {
    const { issuer, trustBare, validate, v1 } = await setUp(t)
    const trusted = await trustBare(issuer, { url: `${issuer.url}/` })
    const [provider] = (await v1('GET', `/tenants/${trusted.tenantId}/providers`)).body
    t.equal(provider.url, issuer.url, 'dropped')
    isValid(t, await validate(await issuer.token(), trusted), 'in what is trusted')
    isValid(t, await validate(await issuer.token({ iss: `${issuer.url}/` }), trusted), 'in the token')
    const slashed = await startBareIssuer(t)
    slashed.metadata.issuer = `${slashed.url}/`
    isValid(t, await validate(await slashed.token(), await trustBare(slashed)), 'in the discovery document')
  })

  t.test('an issuer may have a path', async (t) => {
    const { issuer, trusted, validate } = await setUp(t, { path: '/pools/one' })
    isValid(t, await validate(await issuer.token(), trusted), 'it has')
    t.strictSame(issuer.requests, ['/pools/one/.well-known/openid-configuration', '/pools/one/jwks'])
  })

  t.test('every algorithm whose keys the issuer alone has', async (t) => {
    const rsa = await makeKey('rsa', 'RS256')
    const others = await Promise.all(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'].map((alg) => makeKey(alg, alg)))
    const { issuer, trusted, validate } = await setUp(t, { keys: [rsa, ...others] })
    const ways = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => ({ ...rsa, alg }))
    for (const key of [...ways, ...others])
      isValid(t, await validate(await issuer.token({}, { key }), trusted), key.alg)
  })

  t.test('a token without kid, by whichever key of its kind', async (t) => {
    const [rsa, ec, other] = [await makeKey('rsa', 'RS256'), await makeKey('ec'), await makeKey('other')]
    const { issuer, trusted, validate } = await setUp(t, { keys: [rsa, ec, other] })
    for (const key of [rsa, ec, other]) {
      isValid(t, await validate(await issuer.token({}, { key, header: { kid: undefined } }), trusted), key.kid)
    }
  })

  t.test('a token of 16 KiB, and not of one character more', async (t) => {
    const { issuer, trusted, validate } = await setUp(t)
    const sized = async (size: number) => {
      // base64url encodes three bytes as four characters, so some lengths are impossible with a given header.
      for (const x of ['', 'x', 'xx']) {
        const { length } = await issuer.token({ pad: '' }, { header: { x } })
        for (let bytes = Math.floor((size - length) * 0.75) - 2; ; bytes++) {
          const token = await issuer.token({ pad: 'x'.repeat(bytes) }, { header: { x } })
          if (token.length === size) return token
          if (token.length > size) break
        }
      }
      throw new Error(`no token of ${size} characters`)
    }
    const groups = Array.from({ length: 200 }, (_, i) => `${i}`.padStart(8, '0').concat('-0000-4000-8000-000000000000'))
    isValid(t, await validate(await issuer.token({ groups }), trusted), '200 groups')
    isValid(t, await validate(await sized(16_384), trusted), '16384')
    const { status, body } = await validate(await sized(16_385), trusted)
    t.match({ status, body }, { status: 400, body: { code: 'bad_request', message: /^token / } }, '16385')
  })

  t.test('clocks may differ by a minute', async (t) => {
    const { issuer, trusted, validate, nowSeconds } = await setUp(t)
    const now = nowSeconds()
    const edges: [Record<string, unknown>, string | undefined][] = [
      [{ exp: now - 59 }, undefined],
      [{ exp: now - 60 }, EXPIRED],
      [{ nbf: now + 60 }, undefined],
      [{ nbf: now + 61 }, NOT_YET],
      [{ iat: now + 60 }, undefined],
      [{ iat: now + 61 }, IN_FUTURE],
      [{ nbf: undefined }, undefined],
      // RFC 7519 §4.1.6: it is optional.
      [{ iat: undefined }, undefined]
    ]
    for (const [claims, refusal] of edges) {
      const answer = await validate(await issuer.token(claims), trusted)
      const why = JSON.stringify(claims, (_, value) => (typeof value === 'number' ? value - now : value))
      if (refusal === undefined) isValid(t, answer, why)
      else isRefused(t, answer, refusal, why)
    }
  })

  t.test('the age of a token has a limit, if the issuer has one', async (t) => {
    const { issuer, trustBare, validate, nowSeconds } = await setUp(t)
    const ages: [number, number, string | undefined][] = [
      [1, HOUR_SECONDS, undefined],
      [1, HOUR_SECONDS + 1, TOO_OLD],
      [12, 12 * HOUR_SECONDS, undefined],
      [12, 12 * HOUR_SECONDS + 1, TOO_OLD],
      [0.5, 1_800, undefined],
      [0.5, 1_801, TOO_OLD],
      [0, 10 * 365 * 24 * HOUR_SECONDS, undefined]
    ]
    for (const [hours, age, refusal] of ages) {
      const trusted = await trustBare(issuer, { hours })
      const answer = await validate(await issuer.token({ iat: nowSeconds() - age }), trusted)
      const why = `${age} s where ${hours} h are allowed`
      if (refusal === undefined) isValid(t, answer, why)
      else isRefused(t, answer, refusal, why)
    }
  })
})

t.test('400', async (t) => {
  t.test('whatever is wrong with what it says', async (t) => {
    const { issuer, trusted, trustBare, validate, nowSeconds } = await setUp(t)
    const now = nowSeconds()
    const two = await trustBare(issuer, { policyAudience: 'builds' })
    const limited = await trustBare(issuer, { hours: 12 })
    const wrong: [string, Record<string, unknown>, string, Trusted?][] = [
      ['another audience', { aud: 'somebody-else' }, notExpected('aud')],
      ['many other audiences', { aud: ['a', 'b'] }, notExpected('aud')],
      ['a part of the audience', { aud: 'relying' }, notExpected('aud')],
      ['the audience in upper case', { aud: 'RELYING-PARTY' }, notExpected('aud')],
      ['no audience', { aud: undefined }, notExpected('aud')],
      ['an empty array of audiences', { aud: [] }, notExpected('aud')],
      ['an audience that is an object', { aud: { 'relying-party': true } }, notExpected('aud')],
      ['an array within the array', { aud: [['relying-party']] }, notExpected('aud')],
      ["the policy's audience alone", { aud: 'builds' }, notExpected('aud'), two],
      ["the provider's audience alone", { aud: 'relying-party' }, POLICY_AUDIENCE, two],
      ["the policy's audience in an array within", { aud: ['relying-party', ['builds']] }, POLICY_AUDIENCE, two],
      ['another issuer', { iss: 'https://issuer.example.com' }, notExpected('iss')],
      ['the issuer in upper case', { iss: issuer.url.toUpperCase() }, notExpected('iss')],
      ['the issuer with two slashes', { iss: `${issuer.url}//` }, notExpected('iss')],
      ['the issuer with something behind it', { iss: `${issuer.url}.example.com` }, notExpected('iss')],
      ['the issuer in an array', { iss: [issuer.url] }, notExpected('iss')],
      ['no issuer', { iss: undefined }, notExpected('iss')],
      ['no end', { exp: undefined }, notExpected('exp')],
      ['an end that is a text', { exp: String(now + 300) }, notExpected('exp')],
      ['an end that is null', { exp: null }, notExpected('exp')],
      ['an end in the past', { exp: now - 3_600 }, EXPIRED],
      ['an end in 1970', { exp: 0 }, EXPIRED],
      ['no time of issue, where tokens have a limited age', { iat: undefined }, NO_IAT, limited],
      ['a time of issue that is a text', { iat: String(now) }, notExpected('iat')],
      ['a time of issue tomorrow', { iat: now + 86_400 }, IN_FUTURE],
      ['a time of issue in milliseconds', { iat: now * 1_000 }, IN_FUTURE],
      ['a beginning tomorrow', { nbf: now + 86_400 }, NOT_YET],
      ['another role', { role: 'visitor' }, CONDITIONS]
    ]
    for (const [why, claims, message, by = trusted] of wrong) {
      isRefused(t, await validate(await issuer.token(claims), by), message, why)
    }
    isValid(t, await validate(await issuer.token(), trusted), 'and without all that')
  })

  t.test('numbers beyond all numbers are answered like any others', async (t) => {
    const { issuer, trusted, trustBare, validate, nowSeconds } = await setUp(t)
    const hour = await trustBare(issuer, { hours: 1 })
    const [key] = issuer.keys as [ForgedKey]
    const raw = (exp: string, iat: string) => {
      const claims = JSON.stringify({ iss: issuer.url, aud: 'relying-party', role: 'builder' }).slice(0, -1)
      return signedBy(key, { alg: 'ES256', kid: 'one' }, `${claims},"exp":${exp},"iat":${iat}}`)
    }
    const [now, later] = [nowSeconds(), nowSeconds() + 300]
    isValid(t, await validate(raw(`${later}`, `${now}`), trusted), 'ordinary ones')
    for (const [exp, iat, by] of [
      ['1e999', now, trusted],
      ['-1e999', now, trusted],
      [later, '1e999', trusted],
      [later, '-1e999', hour]
    ] as const) {
      t.equal((await validate(raw(`${exp}`, `${iat}`), by)).status, 400, `exp ${exp}, iat ${iat}`)
    }
    const { status, body } = await validate(raw(`${later}.75`, `${now}.25`), trusted)
    t.strictSame({ status, body }, { status: 200, body: { isValid: true, exp: later } }, 'a fraction of a second')
  })

  t.test('whatever is wrong with its key or its algorithm', async (t) => {
    const [rsa, ec, other] = [await makeKey('rsa', 'RS256'), await makeKey('ec'), await makeKey('other')]
    const secret = { kty: 'oct', k: base64url('a shared secret'), kid: 'shared' }
    const keys = [rsa, ec, other, { ...ec, kid: 'shared', jwk: secret }]
    const { issuer, trusted, validate, nowSeconds } = await setUp(t, { keys })
    const stranger = await makeKey('ec')
    const theirs = await startBareIssuer(t, { keys: [stranger], isPlain: true })
    const claims = {
      iss: issuer.url,
      aud: 'relying-party',
      role: 'builder',
      iat: nowSeconds(),
      exp: nowSeconds() + 300
    }
    const shared = (alg: string, key: string | Buffer, hash = 'sha256', kid = 'rsa') =>
      forge({ alg, kid }, claims, hmac(key, hash))
    const unsigned = (header: object) => forge({ kid: 'ec', ...header }, claims, () => '')
    const by = (key: ForgedKey, header: TokenParts['header'] = {}) => issuer.token({}, { key, header })
    const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' }) as string
    const jwk = JSON.stringify(rsa.jwk)

    const wrong: [string, string | Promise<string>, string][] = [
      ['none', unsigned({ alg: 'none' }), ALGORITHM],
      ['None', unsigned({ alg: 'None' }), ALGORITHM],
      ['NONE', unsigned({ alg: 'NONE' }), ALGORITHM],
      ['nOnE', unsigned({ alg: 'nOnE' }), ALGORITHM],
      ['none, with a signature', signedBy(ec, { alg: 'none', kid: 'ec' }, claims), ALGORITHM],
      ['HS256 with the public key', shared('HS256', pem), ALGORITHM],
      ['HS256 with the public key less its last line end', shared('HS256', pem.trim()), ALGORITHM],
      ['HS256 with its DER', shared('HS256', rsa.publicKey.export({ format: 'der', type: 'spki' })), ALGORITHM],
      ['HS256 with the text of the JWK', shared('HS256', jwk), ALGORITHM],
      ['HS384 with the text of the JWK', shared('HS384', jwk, 'sha384'), ALGORITHM],
      ['HS512 with the modulus', shared('HS512', String(rsa.jwk.n), 'sha512'), ALGORITHM],
      ['HS256 with nothing', shared('HS256', ''), ALGORITHM],
      ['HS256 with a secret that is published', shared('HS256', 'a shared secret', 'sha256', 'shared'), ALGORITHM],
      ['HS256 in lower case', shared('hs256', pem), ALGORITHM],
      ['an algorithm nobody knows', unsigned({ alg: 'XX256' }), ALGORITHM],
      ['a number for an algorithm', unsigned({ alg: 256 }), SIGNATURE],
      ['null for an algorithm', unsigned({ alg: null }), SIGNATURE],
      ['an array for an algorithm', unsigned({ alg: ['ES256'] }), SIGNATURE],
      ['no algorithm', unsigned({}), NO_JWT],
      ['no signature', unsigned({ alg: 'ES256' }), SIGNATURE],
      ['the kid of a key of another kind', by(ec, { kid: 'rsa' }), UNKNOWN_KEY],
      ['RS256 with the kid of another kind', by(rsa, { kid: 'ec' }), UNKNOWN_KEY],
      ['PS256 said of what is RS256', signedBy(rsa, { alg: 'PS256', kid: 'rsa' }, claims), SIGNATURE],
      ["the kid of another of the issuer's", by(ec, { kid: 'other' }), SIGNATURE],
      ["a stranger's key of the same kid", by(stranger), SIGNATURE],
      ['a kid nobody knows', by(ec, { kid: 'unknown' }), UNKNOWN_KEY],
      ['an empty kid', by(ec, { kid: '' }), UNKNOWN_KEY],
      ['the kid __proto__', by(ec, { kid: '__proto__' }), UNKNOWN_KEY],
      ['the kid constructor', by(ec, { kid: 'constructor' }), UNKNOWN_KEY],
      ['a path for a kid', by(ec, { kid: '../../dev/null' }), UNKNOWN_KEY],
      ['a long kid', by(ec, { kid: 'x'.repeat(5_000) }), UNKNOWN_KEY],
      ['a number for a kid', signedBy(ec, { alg: 'ES256', kid: 7 }, claims), UNKNOWN_KEY],
      ['no kid, and a key of nobody', by(stranger, { kid: undefined }), SIGNATURE],
      ['a key of its own', by(stranger, { kid: undefined, jwk: stranger.jwk }), SIGNATURE],
      ['a key set of its own', by(stranger, { kid: 'x', jku: `${theirs.url}/jwks` }), UNKNOWN_KEY],
      ['certificates of its own', by(stranger, { kid: 'x', x5u: theirs.url }), UNKNOWN_KEY],
      ['an extension nobody knows', signedBy(ec, { alg: 'ES256', kid: 'ec', crit: ['x'], x: 1 }, claims), SIGNATURE],
      [
        'crit of what is no extension',
        signedBy(ec, { alg: 'ES256', kid: 'ec', crit: ['exp'], exp: 1 }, claims),
        SIGNATURE
      ]
    ]
    for (const [why, token, message] of wrong) isRefused(t, await validate(await token, trusted), message, why)
    isValid(t, await validate(signedBy(ec, { alg: 'ES256', kid: 'ec' }, claims), trusted), 'and without all that')
    t.strictSame(theirs.requests, [], 'nobody went where a token pointed')
    t.strictSame(issuer.requests, [DISCOVERY, JWKS], 'and the issuer was asked once for all of them')
  })

  t.test('whatever was changed on the way', async (t) => {
    const { issuer, trusted, validate, nowSeconds } = await setUp(t)
    const token = await issuer.token()
    const [header = '', payload = '', signature = ''] = token.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    t.equal(bytes.length, 64)
    const refusals = new Set<string>()
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      const { status, body } = await validate(`${header}.${payload}.${changed.toString('base64url')}`, trusted)
      refusals.add(`${status} ${body.message}`)
    }
    t.strictSame([...refusals], [`400 ${SIGNATURE}`], 'one bit of each of 64 bytes of the signature')
    const later = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), exp: nowSeconds() + 9_999 }
    const [second = ''] = (await issuer.token()).split('.').slice(-1)
    const changed: [string, string][] = [
      ['a later end', `${header}.${base64url(later)}.${signature}`],
      ['the same claims in another spelling', `${header}.${base64url(` ${JSON.stringify(later)}`)}.${signature}`],
      ['another header', `${base64url({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${payload}.${signature}`],
      ['the signature of another token', `${header}.${base64url(later)}.${second}`],
      ['half of the signature', `${header}.${payload}.${signature.slice(0, 43)}`],
      ['the signature twice', `${header}.${payload}.${signature}${signature}`],
      ['a signature of zeros', `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`],
      ['no signature', `${header}.${payload}.`]
    ]
    for (const [why, text] of changed) isRefused(t, await validate(text, trusted), SIGNATURE, why)
    isValid(t, await validate(token, trusted), 'and as it was')
  })

  t.test('whatever is no JWT', async (t) => {
    const { issuer, trusted, validate } = await setUp(t)
    const token = await issuer.token()
    const [header, payload, signature] = token.split('.')
    const [key] = issuer.keys as [ForgedKey]
    const head = { alg: 'ES256', kid: 'one' }
    const rsa = await makeKey('rsa', 'RS256')
    const jwe = await new CompactEncrypt(Buffer.from(token))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'one' })
      .encrypt(rsa.publicKey)
    t.equal(jwe.split('.').length, 5)
    const json = JSON.stringify({ payload, signatures: [{ protected: header, signature }] })
    const texts: [string, string, string][] = [
      ['a JWE', jwe, NO_JWT],
      ['a JWS as JSON', json, NO_JWT],
      ['one part', 'x', NO_JWT],
      ['two parts', `${header}.${payload}`, NO_JWT],
      ['four parts', `${token}.${signature}`, NO_JWT],
      ['three empty parts', '..', NO_JWT],
      ['the word null', 'null', NO_JWT],
      ['a blank', ' ', NO_JWT],
      ['with its scheme', `Bearer ${token}`, NO_JWT],
      ...respelt(token).map((text): [string, string, string] => [
        'respelt',
        text,
        text.endsWith('=') ? NO_JWT : SIGNATURE
      ]),
      ['a header that is no base64', `!!.${payload}.${signature}`, NO_JWT],
      ['a header that is no JSON', `${base64url('{')}.${payload}.${signature}`, NO_JWT],
      ['a header that is an array', signedBy(key, [head], '{}'), NO_JWT],
      ['a header that is null', signedBy(key, null, '{}'), NO_JWT],
      ['a header that is a number', signedBy(key, 7, '{}'), NO_JWT],
      ['claims that are an array', signedBy(key, head, []), SIGNATURE],
      ['claims that are null', signedBy(key, head, null), SIGNATURE],
      ['claims that are no JSON', signedBy(key, head, '{"iss":'), SIGNATURE],
      ['no claims', signedBy(key, head, {}), notExpected('iss')],
      ['an unencoded payload', signedBy(key, { ...head, b64: false, crit: ['b64'] }, '{}'), SIGNATURE]
    ]
    for (const [why, text, message] of texts) isRefused(t, await validate(text, trusted), message, why)
    for (const [why, text] of [
      ['an equals sign behind it', `${token}=`],
      ['a line end behind it', `${token}\n`],
      ['a blank before it', ` ${token}`],
      ['a line end within the signature', `${header}.${payload}.${signature?.slice(0, 9)}\n${signature?.slice(9)}`]
    ] as const) {
      t.equal((await validate(text, trusted)).status, 400, why)
    }
    for (const token of [undefined, '', 7, null, ['x'], {}]) {
      const { status, body } = await validate(token, trusted)
      t.match({ status, body }, { status: 400, body: { code: 'bad_request' } }, JSON.stringify(token) ?? 'nothing')
    }
  })
})

t.test('fingerprints', async (t) => {
  const withColons = (hex: string) => (hex.match(/../g) ?? []).join(':')

  t.test('are of a certificate of the chain, in either hash and any spelling', async (t) => {
    const { issuer, trust, validate } = await setUp(t)
    const { sha1, sha256 } = issuer.certificate
    const token = await issuer.token()
    const other = makeCertificate({ name: 'Another', issuer: authority, hosts: ['localhost'] })
    const given: [string, string[], boolean][] = [
      ['SHA-256', [sha256], true],
      ['SHA-256 in upper case', [sha256.toUpperCase()], true],
      ['SHA-1', [sha1], true],
      ['SHA-1 with colons', [withColons(sha1)], true],
      ['SHA-1 with colons in upper case', [withColons(sha1).toUpperCase()], true],
      ['SHA-256 of the authority, which is not sent along', [authority.sha256], true],
      ['SHA-1 of the authority', [authority.sha1], true],
      ['the last of five', [other.sha256, other.sha1, '0'.repeat(64), '0'.repeat(40), sha256], true],
      ['another certificate of the authority', [other.sha256], false],
      ['its beginning', [sha256.slice(0, 63)], false],
      ['its SHA-1, filled up', [sha1.padEnd(64, '0')], false],
      ['colons alone', [':'.repeat(40)], false],
      ['one digit too many', [`${sha1}0`], false]
    ]
    for (const [why, fingerprints, isGood] of given) {
      const answer = await validate(token, await trust({ url: issuer.url, fingerprints }))
      if (isGood) isValid(t, answer, why)
      else isRefused(t, answer, FINGERPRINTS, why)
    }
  })

  t.test('are of an intermediate authority, too', async (t) => {
    const intermediate = makeCertificate({ name: 'An intermediate authority', issuer: authority })
    const certificate = makeCertificate({ name: 'An issuer', issuer: intermediate, hosts: ['localhost'] })
    const { issuer, trust, validate } = await setUp(t, { certificate, chain: [intermediate] })
    for (const { name, sha256 } of [certificate, intermediate, authority]) {
      isValid(t, await validate(await issuer.token(), await trust({ url: issuer.url, fingerprints: [sha256] })), name)
    }
  })

  t.test('are not of a certificate that is sent along and vouches for nothing', async (t) => {
    const party = await startRelyingParty(t)
    const pinned = makeCertificate({ name: 'The authority that is pinned' })
    const certificate = makeCertificate({ name: 'An issuer', issuer: authority, hosts: ['localhost'] })
    // The name of the issuer fits in these certificates, but the signature does not.
    const forger = { name: pinned.name, privateKey: certificate.privateKey }
    const bridges = {
      'a key of its own': makeCertificate({ name: authority.name, issuer: forger }),
      'the key of the authority': makeCertificate({
        name: authority.name,
        issuer: forger,
        publicKey: createPublicKey(authority.pem)
      })
    }
    for (const [whose, bridge] of Object.entries(bridges)) {
      const issuer = await startBareIssuer(t, { clock: party.clock, certificate, chain: [bridge, pinned] })
      const token = await issuer.token()
      isValid(t, await party.validate(token, await party.trustBare(issuer)), `by its own, ${whose}`)
      const trusted = await party.trust({ url: issuer.url, fingerprints: [pinned.sha256, pinned.sha1] })
      isRefused(t, await party.validate(token, trusted), FINGERPRINTS, `a bridge with ${whose}`)
    }
  })

  t.test('are not asked for where there is no TLS', async (t) => {
    const { trust, validate, clock } = await startRelyingParty(t)
    const issuer = await startBareIssuer(t, { isPlain: true, clock })
    isValid(t, await validate(await issuer.token(), await trust({ url: issuer.url })), 'http')
  })
})

t.test('conditions', async (t) => {
  const { issuer, trustBare, validate } = await setUp(t)
  const decide = async (condition: Condition, claims: Record<string, unknown>) =>
    validate(await issuer.token(claims), await trustBare(issuer, { conditions: [condition] }))

  t.test('each operator lets through what meets it, and nothing else', async (t) => {
    const cases: [Condition['operator'], string, string, boolean][] = [
      ['stringEquals', 'main', 'main', true],
      ['stringEquals', 'main', 'Main', false],
      ['stringEquals', 'ma*', 'main', false],
      ['stringEquals', 'ma*', 'ma*', true],
      ['stringNotEquals', 'main', 'main', false],
      ['stringNotEquals', 'main', 'Main', true],
      ['stringNotEquals', 'ma*', 'main', true],
      ['stringLike', 'ma*', 'main', true],
      ['stringLike', 'ma*', 'domain', false],
      ['stringLike', '*/main', 'refs/heads/main', true],
      ['stringLike', 'm.in', 'main', false],
      ['stringLike', 'main', 'main', true],
      ['stringLike', '*', '', true],
      ['stringNotLike', 'ma*', 'main', false],
      ['stringNotLike', 'ma*', 'domain', true],
      ['stringNotLike', '*', '', false]
    ]
    for (const [operator, value, claim, isMet] of cases) {
      const answer = await decide({ key: 'ref', operator, value }, { ref: claim })
      if (isMet) isValid(t, answer, `${claim} ${operator} ${value}`)
      else isRefused(t, answer, CONDITIONS, `${claim} ${operator} ${value}`)
    }
  })

  t.test('a claim that is missing or no string fails every operator', async (t) => {
    const claims: Record<string, unknown>[] = [
      {},
      { ref: 7 },
      { ref: true },
      { ref: null },
      { ref: ['main'] },
      { ref: { main: 'main' } }
    ]
    for (const operator of OPERATORS) {
      for (const claim of claims) {
        for (const value of ['main', 'x', '*', '7']) {
          const answer = await decide({ key: 'ref', operator, value }, claim)
          isRefused(t, answer, CONDITIONS, `${JSON.stringify(claim)} ${operator} ${value}`)
        }
      }
    }
  })

  t.test('a key names a claim, and nothing that every object has or that lies deeper', async (t) => {
    for (const key of ['__proto__', 'toString', 'valueOf', 'repo.name', 'a.b', 'repo[name]']) {
      const answer = await decide(
        { key, operator: 'stringNotEquals', value: 'x' },
        { repo: { name: 'y' }, a: { b: 'y' } }
      )
      isRefused(t, answer, CONDITIONS, key)
    }
    isValid(t, await decide({ key: 'a.b', operator: 'stringEquals', value: 'y' }, { 'a.b': 'y' }), 'a dot in its name')
  })

  t.test('all of them must hold', async (t) => {
    const conditions: Condition[] = [
      { key: 'role', operator: 'stringEquals', value: 'builder' },
      { key: 'ref', operator: 'stringLike', value: 'refs/*' },
      { key: 'ref', operator: 'stringNotLike', value: '*/tmp-*' },
      { key: 'env', operator: 'stringNotEquals', value: 'production' },
      { key: 'sub', operator: 'stringEquals', value: 'job-1' }
    ]
    const trusted = await trustBare(issuer, { conditions })
    const good = { ref: 'refs/heads/main', env: 'staging' }
    isValid(t, await validate(await issuer.token(good), trusted), 'five of five')
    const breaks: object[] = [
      { role: 'x' },
      { ref: 'main' },
      { ref: 'refs/heads/tmp-1' },
      { env: 'production' },
      { sub: 'x' }
    ]
    for (const claims of breaks) {
      const answer = await validate(await issuer.token({ ...good, ...claims }), trusted)
      isRefused(t, answer, CONDITIONS, JSON.stringify(claims))
    }
  })
})

t.test('a form with asterisks', async (t) => {
  /** The meaning of a pattern, as a plain backtracking search. */
  const likeness = (text: string, form: string): boolean => {
    if (form === '') return text === ''
    if (form[0] !== '*') return text[0] === form[0] && likeness(text.slice(1), form.slice(1))
    return likeness(text, form.slice(1)) || (text !== '' && likeness(text.slice(1), form))
  }
  const letters = (maxLength: number, ...of: string[]) =>
    fc.array(fc.constantFrom(...of), { maxLength }).map((list) => list.join(''))

  t.test('means what it means', async (t) => {
    const counts = { like: 0, unlike: 0 }
    fc.assert(
      fc.property(letters(10, 'a', 'b', '*', '.'), letters(8, 'a', 'b', '*', '*', '.'), (text, form) => {
        const expected = likeness(text, form)
        counts[expected ? 'like' : 'unlike'] += 1
        return isLike(text, form) === expected
      }),
      { numRuns: 20_000 }
    )
    t.ok(counts.like > 1_000 && counts.unlike > 1_000, `${counts.like} like, ${counts.unlike} unlike`)
  })

  t.test('is met by whatever stands in place of its asterisks', async (t) => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.infiniteStream(fc.string()), (parts, fillings) => {
        const plain = parts.map((part) => part.replaceAll('*', ''))
        const text = plain.reduce((sum, part) => sum + fillings.next().value + part)
        return isLike(text, plain.join('*'))
      }),
      { numRuns: 2_000 }
    )
    t.pass('2,000 texts')
  })

  t.test('is not slow for any', async (t) => {
    const million = 1_000_000
    const texts = [
      'a'.repeat(million),
      `${'a'.repeat(million)}b`,
      'ab'.repeat(million / 2),
      `${'*a'.repeat(million / 2)}`
    ]
    const forms = ['*a', 'a*', '*', '*ab', 'a*b', 'aab*'].map((form) => form.repeat(Math.floor(100 / form.length)))
    forms.push(`*${'a'.repeat(97)}b*`, `${'*'.repeat(50)}${'a'.repeat(49)}c`, `*${'a'.repeat(48)}*${'a'.repeat(48)}c*`)
    for (const form of forms) {
      const effort = await effortOf(() => texts.map((text) => isLike(text, form)), 1)
      // With backtracking from every position this would take hours (ReDoS).
      t.ok(effort < 70, `${form.slice(0, 12)}… over four million characters: ${effort.toFixed(2)}`)
    }
  })
})

t.test('a condition by itself', async (t) => {
  const text = fc.constantFrom('', 'a', 'ab', 'b', '*', 'a*')
  const claim = fc.oneof(text, fc.jsonValue())
  fc.assert(
    fc.property(fc.constantFrom(...OPERATORS), text, fc.option(claim), (operator, value, given) => {
      const claims = given === null ? {} : { key: given }
      const is = operator.endsWith('Equals') ? given === value : typeof given === 'string' && isLike(given, value)
      const expected = typeof given === 'string' && is !== operator.startsWith('stringNot')
      return holds({ key: 'key', operator, value }, claims) === expected
    }),
    { numRuns: 5_000 }
  )
  t.pass('5,000 conditions')
})

t.test('404', async (t) => {
  const { issuer, trusted, trustBare, validate, v1, app } = await setUp(t)
  const token = await issuer.token()
  const isUnknown = (t: Test, { status, body }: Answer, why: string) =>
    t.match({ status, body }, { status: 404, body: { code: 'not_found' } }, why)

  t.test('a policy that is no policy of the tenant', async (t) => {
    const other = await trustBare(issuer)
    isUnknown(
      t,
      await validate(token, { ...trusted, tenantProviderPolicyId: other.tenantProviderPolicyId }),
      'another’s'
    )
    for (const id of [UNKNOWN_ID, trusted.tenantId, trusted.tenantProviderId, 'x', '__proto__']) {
      isUnknown(t, await validate(token, { ...trusted, tenantProviderPolicyId: id }), id)
    }
    isUnknown(t, await validate(token, { ...trusted, tenantId: UNKNOWN_ID }), 'an unknown tenant')
    isUnknown(t, await validate(token, { ...trusted, tenantId: other.tenantId }), 'the other tenant')
  })

  t.test('a tenant of another account', async (t) => {
    const { text } = await app.core.apiKeys.create('other', {}, BY)
    const { tenantId, tenantProviderPolicyId } = trusted
    const headers = { authorization: `Bearer ${text}`, 'content-type': 'application/json' }
    const payload = JSON.stringify({ tenantProviderPolicyId, token })
    const url = `/v1/tenants/${tenantId}/validate`
    t.equal((await app.inject({ method: 'POST', url, headers, payload })).statusCode, 404)
  })

  t.test('what was deleted', async (t) => {
    const [policy, provider, tenant] = [await trustBare(issuer), await trustBare(issuer), await trustBare(issuer)]
    const below = ({ tenantId, tenantProviderId }: Trusted) => `/tenants/${tenantId}/providers/${tenantProviderId}`
    for (const [why, one, path] of [
      ['a policy', policy, `${below(policy)}/policies/${policy.tenantProviderPolicyId}`],
      ['a provider', provider, below(provider)],
      ['a tenant', tenant, `/tenants/${tenant.tenantId}`]
    ] as const) {
      isValid(t, await validate(token, one), `${why}, before`)
      t.equal((await v1('DELETE', path)).status, 204)
      isUnknown(t, await validate(token, one), `${why}, after`)
    }
    isValid(t, await validate(token, trusted), 'and not what stands beside it')
  })
})
