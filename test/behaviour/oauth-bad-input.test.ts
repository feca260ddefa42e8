/**
 * Checks what the OAuth surface does with bad input: malformed parameters and bodies, clients that do not prove themselves,
 * and wrong values in well-formed requests, which are scopes, grant types, codes and tokens that are foreign, forged,
 * expired or revoked. It refuses correctly and does nothing else; see test/support/oauth-refusals.ts.
 */

import { createPublicKey, generateKeyPairSync, sign as signWith } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { decodeJwt } from 'jose'
import t from 'tap'
import * as schemas from '../../schemas/generated/oauth.js'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { newGrantCode } from '../../src/core/grants/codes.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { createKeys } from '../../src/storage/redis/keys.js'
import { startApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { challengeOf } from '../support/code-flow.js'
import { effortOf } from '../support/effort.js'
import { base64url, forge, hmac } from '../support/forge.js'
import {
  API,
  BAD_CODE,
  BAD_DEVICE_CODE,
  BAD_REFRESH_TOKEN,
  BAD_RESOURCE,
  BAD_TOKEN,
  BOX,
  BOX_SECRET,
  basic,
  basicOf,
  CANARY,
  challengeAt,
  FORM,
  form,
  IC,
  IC_BASIC,
  IR,
  IS,
  ISSUER,
  type Json,
  json,
  LAMP,
  lastingSession,
  NO_TOKEN,
  ONCE,
  PATHS,
  type Parameters,
  refused,
  SMALL_SCOPE,
  setUp,
  TOO_LARGE,
  TV,
  UC,
  UG,
  type Verdict,
  WRONG_TYPE,
  without
} from '../support/oauth-refusals.js'
import { snapshot } from '../support/snapshot.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'

/** What a well-formed but wrong value of each parameter leads to: a refusal, or an answer that reveals nothing. */
const WRONG: Record<string, Verdict | 'ignored'> = {
  client_id: IC,
  client_secret: IC,
  scope: IS,
  grant_type: UG,
  device_code: BAD_DEVICE_CODE,
  refresh_token: BAD_REFRESH_TOKEN,
  code: BAD_CODE,
  redirect_uri: BAD_CODE,
  code_verifier: BAD_CODE,
  code_challenge: { ...IR, sentence: 'code_challenge must be the base64url of a SHA-256.' },
  code_challenge_method: { ...IR, sentence: 'code_challenge_method must be S256.' },
  token: 'ignored',
  token_type_hint: 'ignored'
}
/** What a missing parameter leads to; scope, token_type_hint and those of PKCE for a device code are optional. */
const MISSING: Record<string, Verdict> = {
  client_id: IR,
  client_secret: IC,
  grant_type: IR,
  device_code: IR,
  refresh_token: IR,
  code: IR,
  code_verifier: BAD_CODE,
  token: IR
}

const VERIFIER = 'a verifier of no more than that'

/** Approves what the box asks for, as the page does. */
async function approvedCode(app: FastifyInstance, clock: () => number): Promise<string> {
  const code = newGrantCode()
  const request = {
    ...{ clientId: 'box', clientType: 'other' as const, scopes: ['openid'], metadata: {}, ip: '192.0.2.1' },
    ...{ codeChallenge: challengeOf(VERIFIER), redirectUri: 'https://box.example/' }
  }
  await app.core.grants.answerCode({ code, request, askedAtMs: clock() }, 'approve', {
    ...BY,
    userId: 'ann',
    ip: '192.0.2.1'
  })
  return code
}

interface Row {
  operation: keyof typeof PATHS
  schema: { properties: Record<string, object> }
  /** A request that is answered with 200. */
  good: Parameters
}

t.test('parameters', async (t) => {
  const { app, clock, post, startGrant, decide, authorize, use, redeem, refresh, refuses, ignores, askInVain, asked } =
    await setUp(t)
  const grant = await startGrant(BOX, 'openid offline_access')
  await decide(grant.user_code, 'ann')
  const tokens = await authorize(BOX, 'ann', 'openid offline_access')
  await use(tokens.access_token)
  const code = await approvedCode(app, clock)
  const rows: Row[] = [
    {
      operation: 'authorizeDevice',
      schema: schemas.DeviceAuthorizationRequest,
      good: { ...BOX, scope: 'openid', code_challenge: challengeOf('x'), code_challenge_method: 'S256' }
    },
    {
      operation: 'requestToken',
      schema: schemas.TokenRequest,
      good: { ...BOX, grant_type: DEVICE_CODE_GRANT, device_code: grant.device_code }
    },
    {
      operation: 'requestToken',
      schema: schemas.TokenRequest,
      good: { ...BOX, grant_type: 'refresh_token', refresh_token: tokens.refresh_token, scope: 'openid' }
    },
    {
      operation: 'requestToken',
      schema: schemas.TokenRequest,
      good: {
        ...BOX,
        grant_type: 'authorization_code',
        code,
        redirect_uri: 'https://box.example/',
        code_verifier: VERIFIER
      }
    },
    {
      operation: 'revokeToken',
      schema: schemas.RevocationRequest,
      good: { ...BOX, token: CANARY, token_type_hint: 'access_token' }
    },
    {
      operation: 'introspectToken',
      schema: schemas.IntrospectionRequest,
      good: { ...BOX, token: CANARY, token_type_hint: 'access_token' }
    }
  ]

  t.test('every documented one is tried', async (t) => {
    for (const { operation, schema } of rows) {
      const tried = rows.filter((row) => row.operation === operation).flatMap(({ good }) => Object.keys(good))
      // The one that may be repeated has tests of its own below, those that hold any text in test/routes/oauth/device-flow.test.ts.
      const elsewhere = ['resource', 'device_name', 'client_version']
      const documented = Object.keys(schema.properties).filter((name) => !elsewhere.includes(name))
      t.strictSame(documented.sort(), [...new Set(tried)].sort(), operation)
    }
  })

  for (const { operation, good } of rows) {
    const url = PATHS[operation]
    const everyWay = (parameters: Parameters): [string, InjectOptions][] => [
      ['form', form(url, parameters)],
      ['JSON', json(url, parameters)]
    ]
    for (const name of Object.keys(good)) {
      const value = good[name] ?? ''
      t.test(`${operation} ${'grant_type' in good ? `${good.grant_type} ` : ''}${name}`, async (t) => {
        const comesTo = async (request: InjectOptions, about: string) => {
          const verdict = WRONG[name] ?? 'ignored'
          if (verdict === 'ignored') await ignores(t, request, about)
          else await refuses(t, request, verdict, about)
        }

        // Introspection requires authentication, so a missing client_id is answered like a wrong one.
        const isUnproven = operation === 'introspectToken' && name === 'client_id'
        const missing = isUnproven ? IC : MISSING[name]
        if (missing) {
          const sentence = missing.error === 'invalid_request' ? `${name} is missing.` : missing.sentence
          for (const [way, request] of everyWay(without(good, name))) {
            await refuses(t, request, { ...missing, ...(sentence && { sentence }) }, `missing, ${way}`)
          }
          for (const [way, request] of everyWay({ ...good, [name]: '' })) {
            await refuses(t, request, missing, `empty, ${way}`)
          }
          // RFC 6749 §3.1: a parameter without a value counts as missing.
          const rest = new URLSearchParams(without(good, name))
          await refuses(t, form(url, `${rest}&${name}`), missing, 'a name alone')
          await refuses(t, form(url, `${rest}&${name}[]=${CANARY}&${name}.x=y&${name}%00=z`), missing, 'odd names')
          // Parameters in the query do not count, because queries end up in logs.
          const query = { ...form(url, `${rest}`), url: `${url}?${name}=${encodeURIComponent(value)}` }
          await refuses(t, query, missing, 'in the query')
        }

        const right = new URLSearchParams(good).toString()
        const twice: Parameters = {
          'with the same value': `${right}&${new URLSearchParams({ [name]: value })}`,
          'with another value': `${right}&${name}=${CANARY}`,
          'with another value before': `${name}=${CANARY}&${right}`,
          'and empty': `${right}&${name}=`,
          'and empty before': `${name}=&${right}`,
          'as a name alone': `${right}&${name}`,
          'in another spelling': `${right}&%${name.charCodeAt(0).toString(16)}${name.slice(1)}=${CANARY}`,
          'and once more': `${right}&${name}=${CANARY}&${name}=`
        }
        const repeated = { ...IR, sentence: `${name} is there more than once.` }
        for (const [about, text] of Object.entries(twice)) await refuses(t, form(url, text), repeated, `twice ${about}`)

        for (const length of [255, 256, 1_024, 1_025, 8_193, 12_000]) {
          for (const [way, request] of everyWay({ ...good, [name]: CANARY.padEnd(length, 'x') })) {
            await comesTo(request, `${length} characters, ${way}`)
          }
        }

        const wrong: Parameters = {
          number: '5',
          'a number as large as they come': '1e400',
          boolean: 'true',
          null: 'null',
          'an empty array': '[]',
          array: `["${CANARY}"]`,
          object: `{"${CANARY}":"${CANARY}"}`,
          'an object that converts': `{"toString":"${CANARY}","length":1}`
        }
        for (const [about, raw] of Object.entries(wrong)) {
          const body = JSON.stringify({ ...good, [name]: '@@' }).replace('"@@"', () => raw)
          const sentence = new RegExp(`^${name} (must be string|is there more than once)\\.$`)
          await refuses(t, json(url, body), { ...IR, sentence }, about)
        }
        const half = JSON.stringify({ ...good, [name]: '@@' }).replace('@@', '\\ud800')
        await refuses(t, json(url, half), { ...IR, sentence: 'The body holds half a character.' }, 'half a pair')

        // These texts are ordinary wrong values.
        const odd = [
          '\u0000',
          `${CANARY}\u0000`,
          '__proto__',
          'toString',
          '*',
          'a:b:c',
          ` ${value} `,
          'х',
          '\ufeff',
          '"'
        ]
        for (const text of odd) {
          for (const [way, request] of everyWay({ ...good, [name]: text })) {
            // Scopes are separated by spaces, so further spaces do not change the value.
            if (name === 'scope' && text.trim() === value) continue
            await comesTo(request, `${encodeURIComponent(text)}, ${way}`)
          }
        }
        const before = new URLSearchParams(without(good, name))
        for (const text of ['%', '%zz', '%4', '%c0%ae', '%ff', '%ed%a0%80', '%u0041', `${CANARY}%`]) {
          await comesTo(form(url, `${before}&${name}=${text}`), text)
        }
      })
    }
  }

  t.test('what is not known here is ignored, however often it is there', async (t) => {
    const unknown = `resource=x&resource=y&audience=x&__proto__=x&constructor=x&hasOwnProperty=x&=x&&&=`
    for (const token of ['x', CANARY]) {
      const parameters = new URLSearchParams({ ...BOX, token })
      await ignores(t, form(PATHS.introspectToken, `${unknown}&${parameters}`), `introspect ${token}`)
      await ignores(t, form(PATHS.revokeToken, `${unknown}&${parameters}`), `revoke ${token}`)
    }
    const body = { ...BOX, token: CANARY, resource: ['x', 'y'], constructor: 1, nested: { grant_type: CANARY } }
    await ignores(t, json(PATHS.introspectToken, body), 'JSON')
    const poll = new URLSearchParams({ ...BOX, grant_type: DEVICE_CODE_GRANT, device_code: CANARY })
    const alsoAtToken = unknown.replaceAll(/resource=.&/g, '')
    await refuses(t, form(PATHS.requestToken, `${alsoAtToken}&${poll}`), BAD_DEVICE_CODE, 'token')
    t.equal(({} as Json).polluted, undefined)
  })

  t.test('what was good is still good, and nothing was used up', async (t) => {
    t.ok(asked() >= 1_000, `${asked()} requests`)
    const answer = await askInVain(t, form(PATHS.introspectToken, { ...BOX, token: tokens.refresh_token }), 'alive')
    t.equal(answer.json().active, true)
    t.equal((await redeem(BOX, grant.device_code)).status, 200)
    const byCode = { ...BOX, grant_type: 'authorization_code', code, code_verifier: VERIFIER }
    t.equal((await post(PATHS.requestToken, byCode)).status, 200)
    t.equal((await refresh(BOX, tokens.refresh_token)).status, 200)
  })
})

t.test('bodies as a whole, paths and methods', async (t) => {
  const { app, authorize, use, refuses, asked } = await setUp(t)
  const { access_token } = await authorize(BOX, 'ann', 'openid')
  await use(access_token)
  const authorization = `Bearer ${access_token}`
  const endpoints: Record<string, { url: string; good: Parameters; headers: Parameters }> = {
    authorizeDevice: { url: PATHS.authorizeDevice, good: { ...BOX }, headers: {} },
    requestToken: {
      url: PATHS.requestToken,
      good: { ...BOX, grant_type: DEVICE_CODE_GRANT, device_code: 'x' },
      headers: {}
    },
    revokeToken: { url: PATHS.revokeToken, good: { ...BOX, token: access_token }, headers: {} },
    introspectToken: { url: PATHS.introspectToken, good: { ...BOX, token: 'x' }, headers: {} },
    postUserinfo: { url: PATHS.userinfo, good: { [CANARY]: CANARY }, headers: { authorization } }
  }
  const UNREADABLE = { ...IR, sentence: 'The request cannot be read.' }
  const NOT_UTF8 = { ...IR, sentence: 'The body is not UTF-8.' }

  for (const [operation, { url, good, headers }] of Object.entries(endpoints)) {
    const takesParameters = operation !== 'postUserinfo'
    const text = new URLSearchParams(good).toString()
    const send = (type: string | undefined, payload: string | Buffer, more: Parameters = {}): InjectOptions => ({
      method: 'POST',
      url,
      headers: { ...headers, ...(type !== undefined && { 'content-type': type }), ...more },
      payload
    })

    t.test(`415 ${operation}: any other type than the two, and none`, async (t) => {
      const types = [
        'text/plain',
        'multipart/form-data; boundary=x',
        `multipart/form-data; boundary=${CANARY}`,
        'application/jsonx',
        'application/json5',
        'text/json',
        'application/*+json',
        'application/vnd.api+json',
        `${FORM}x`,
        `x${FORM}`,
        `${FORM}, application/json`,
        `text/plain; ${FORM}`,
        'application/x-www-form-\u0001urlencoded',
        `application/${CANARY}`,
        'form',
        '',
        undefined
      ]
      for (const type of types) {
        await refuses(t, send(type, text), WRONG_TYPE, `type ${type}`)
        await refuses(t, send(type, JSON.stringify(good)), WRONG_TYPE, `type ${type} of JSON`)
      }
    })

    t.test(`415 ${operation}: another charset or a coding`, async (t) => {
      for (const [type, payload] of [
        [FORM, text],
        ['application/json', JSON.stringify(good)]
      ] as const) {
        for (const charset of ['utf-16', 'UTF-16LE', 'iso-8859-1', 'utf-7', '"utf-16"', 'utf-80', CANARY]) {
          await refuses(t, send(`${type}; charset=${charset}`, payload), WRONG_TYPE, `${type}; charset=${charset}`)
        }
        await refuses(t, send(`${type};charset=utf-16`, Buffer.from(payload, 'utf16le')), WRONG_TYPE, 'UTF-16 indeed')
        for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'GZIP', CANARY]) {
          for (const body of [payload, gzipSync(payload)]) {
            await refuses(t, send(type, body, { 'content-encoding': encoding }), WRONG_TYPE, `${type}, ${encoding}`)
          }
        }
      }
    })

    t.test(`400 ${operation}: what cannot be read`, async (t) => {
      for (const hex of ['ff', 'c0ae', 'eda080', 'f4908080', 'e282']) {
        const bytes = Buffer.from(hex, 'hex')
        await refuses(t, send(FORM, Buffer.concat([Buffer.from(`${text}&x=`), bytes])), NOT_UTF8, `form with ${hex}`)
        const inJson = Buffer.concat([Buffer.from('{"x":"'), bytes, Buffer.from('"}')])
        await refuses(t, send('application/json', inJson), NOT_UTF8, `JSON with ${hex}`)
      }
      const malformed = ['{', '{]', `{"${CANARY}"}`, `${JSON.stringify(good)}x`, text, '{"a":01}', '['.repeat(8_000)]
      for (const payload of malformed) {
        await refuses(t, send('application/json', payload), UNREADABLE, `JSON ${payload.slice(0, 20)}`)
      }
      for (const key of [
        '"__proto__":{"polluted":1}',
        '"constructor":{"prototype":{"polluted":1}}',
        '"a":{"__proto__":{"polluted":1}}',
        '"\\u005f_proto__":{"polluted":1}'
      ]) {
        const payload = JSON.stringify(good).replace('{', `{${key},`)
        await refuses(t, send('application/json', payload), UNREADABLE, key)
      }
      t.equal(({} as Json).polluted, undefined)
    })

    t.test(`400 or 413 ${operation}: too much`, async (t) => {
      const more = (count: number) => Array.from({ length: count }, (_, i) => `x${i}=${CANARY}`).join('&')
      const tooMany = { ...IR, sentence: 'There are more than 50 parameters.' }
      await refuses(t, send(FORM, more(51)), tooMany, '51 parameters')
      await refuses(t, send(FORM, `${text}&${more(51 - Object.keys(good).length)}`), tooMany, 'the 51st')
      await refuses(
        t,
        send(FORM, Array.from({ length: 2_000 }, (_, i) => `x${i}=`).join('&')),
        tooMany,
        '2,000 parameters'
      )
      for (const length of [16_385, 1 << 20]) {
        await refuses(t, send(FORM, `${text}&x=`.padEnd(length, 'x')), TOO_LARGE, `${length} bytes of a form`)
        await refuses(t, send('application/json', JSON.stringify(good).padEnd(length)), TOO_LARGE, `${length} of JSON`)
      }
    })

    if (!takesParameters) continue
    t.test(`400 ${operation}: nothing, or not an object`, async (t) => {
      const notObject = { ...IR, sentence: 'The body must be object.' }
      const [first] = { authorizeDevice: ['client_id'], requestToken: ['grant_type'] }[operation] ?? ['token']
      const missing = { ...IR, sentence: `${first} is missing.` }
      await refuses(t, { method: 'POST', url, headers }, missing, 'no body at all')
      for (const type of [FORM, 'application/json', 'text/plain', 'form', '']) {
        await refuses(t, send(type, ''), missing, `no body, said to be ${type}`)
      }
      for (const space of [' ', '\n']) await refuses(t, send('application/json', space), UNREADABLE, 'white space')
      for (const payload of ['null', 'true', '5', `"${CANARY}"`, '[]', `[${JSON.stringify(good)}]`]) {
        await refuses(t, send('application/json', payload), notObject, payload.slice(0, 20))
      }
      for (const payload of [CANARY, '&', '=', '%', '\u0000', JSON.stringify({ ...good, x: '&' }), `\ufeff${CANARY}`]) {
        await refuses(t, send(FORM, payload), IR, `a form that is ${encodeURIComponent(payload).slice(0, 20)}`)
      }
    })
  }

  t.test('what is odd but right', async (t) => {
    const { url, good } = endpoints.introspectToken as (typeof endpoints)[string]
    const right = new URLSearchParams(good).toString()
    const ask = async (type: string, payload: string, about: string, headers: Parameters = {}) => {
      const answer = await app.inject({ method: 'POST', url, headers: { 'content-type': type, ...headers }, payload })
      t.strictSame([answer.statusCode, answer.body], [200, '{"active":false}'], about)
    }
    for (const type of [FORM, FORM.toUpperCase(), `${FORM};charset=utf-8`, `${FORM}; charset=UTF-8`, `${FORM};`]) {
      await ask(type, right, type)
    }
    // RFC 9110 §8.3.1: a charset may be quoted.
    await ask(`${FORM}; charset="utf-8"`, right, 'a quoted charset')
    await ask('application/json; charset="UTF-8"', JSON.stringify(good), 'a quoted charset of JSON')
    await ask(FORM, right, 'identity', { 'content-encoding': 'identity' })
    await ask(FORM, `&&${right}&&`, 'empty pairs')
    await ask(FORM, `${right}&x=`.padEnd(16_384, 'x'), '16 KiB')
    await ask(FORM, right.replace('client_id=box', 'client%5Fid=b%6Fx'), 'letters that need not be encoded')
    const more = Array.from({ length: 50 - Object.keys(good).length }, (_, i) => `x${i}`).join('&')
    await ask(FORM, `${right}&${more}`, '50 parameters')
  })

  t.test('400 the authorization endpoint, whatever is asked of it', async (t) => {
    const verdict: Verdict = { ...IR, error: 'unsupported_response_type', sentence: /device authorization endpoint\.$/ }
    for (const query of [
      '',
      '?response_type=code&client_id=cli',
      `?redirect_uri=https://${CANARY}.example&response_type=none`
    ]) {
      await refuses(t, { method: 'GET', url: `/oauth/authorize${query}` }, verdict, query)
    }
  })

  t.test('405 with Allow, every method that a path does not have', async (t) => {
    const allowed: Record<string, string> = {
      '/.well-known/openid-configuration': 'GET, HEAD',
      '/.well-known/oauth-authorization-server': 'GET, HEAD',
      '/.well-known/jwks.json': 'GET, HEAD',
      '/oauth/authorize': 'GET, POST, HEAD',
      [PATHS.authorizeDevice]: 'POST',
      [PATHS.requestToken]: 'POST',
      [PATHS.revokeToken]: 'POST',
      [PATHS.introspectToken]: 'POST',
      '/oauth/check': 'GET, HEAD',
      '/oauth/revocations': 'GET, HEAD',
      '/oauth/status-lists/:list': 'GET, HEAD',
      [PATHS.userinfo]: 'GET, POST, HEAD'
    }
    t.strictSame(
      Object.keys(allowed).sort(),
      [...new Set(Object.values(schemas.oauthOperations).map(({ url }) => url))].sort(),
      'every path is asked'
    )
    for (const [url, allow] of Object.entries(allowed)) {
      const verdict: Verdict = {
        status: 405,
        error: 'invalid_request',
        sentence: 'The method is not allowed here.',
        allow
      }
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'TRACE'] as const) {
        if (allow.includes(method)) continue
        await refuses(t, { method, url }, verdict, `${method} ${url}`)
        await refuses(t, { ...form(url, { ...BOX, token: CANARY }), method }, verdict, `${method} ${url} with a form`)
        await refuses(
          t,
          { ...form(url, CANARY), method, headers: { 'content-type': 'x/y' } },
          verdict,
          `${method} ${url}`
        )
      }
      if (!allow.includes('HEAD')) {
        const { statusCode, headers, body } = await app.inject({ method: 'HEAD', url })
        t.strictSame([statusCode, headers.allow, body], [405, allow, ''], `HEAD ${url}`)
      }
    }
  })

  t.test('what was good is still good', async (t) => {
    t.equal((await app.inject({ url: PATHS.userinfo, headers: { authorization } })).statusCode, 200)
    t.ok(asked() >= 600, `${asked()} refusals`)
  })
})

t.test('how clients authenticate', async (t) => {
  const { app, variables, startGrant, decide, authorize, use, redeem, refresh, refuses, askInVain, asked } =
    await setUp(t)
  const grant = await startGrant(BOX, 'openid offline_access')
  await decide(grant.user_code, 'ann')
  const tokens = await authorize(BOX, 'ann', 'openid offline_access')
  const { access_token, refresh_token } = tokens
  await use(access_token)
  const session = await sessionOf('ann')

  /** A valid request of each endpoint, without the credentials of a client. */
  const asks: Record<string, { url: string; parameters: Parameters }> = {
    authorizeDevice: { url: PATHS.authorizeDevice, parameters: { scope: 'openid' } },
    'requestToken with a device code': {
      url: PATHS.requestToken,
      parameters: { grant_type: DEVICE_CODE_GRANT, device_code: grant.device_code }
    },
    'requestToken with a refresh token': {
      url: PATHS.requestToken,
      parameters: { grant_type: 'refresh_token', refresh_token }
    },
    'revokeToken with a refresh token': { url: PATHS.revokeToken, parameters: { token: refresh_token } },
    'revokeToken with an access token': { url: PATHS.revokeToken, parameters: { token: access_token } },
    introspectToken: { url: PATHS.introspectToken, parameters: { token: access_token } }
  }
  type Attempt = [about: string, verdict: Verdict, body: Parameters, authorization?: string]
  const ID_MISSING = { ...IR, sentence: 'client_id is missing.' }
  const TWO_WAYS = { ...IR, sentence: 'The client authenticates in two ways.' }
  const encoded = (secret: string) => encodeURIComponent(secret)
  const attempts: Attempt[] = [
    ['nobody says who they are', ID_MISSING, {}],
    ['a secret and no id', ID_MISSING, { client_secret: BOX_SECRET }],
    ['a client nobody knows', IC, { client_id: CANARY }],
    ['a client nobody knows, with a secret', IC, { client_id: CANARY, client_secret: CANARY }],
    ['a client nobody knows, by Basic', IC_BASIC, {}, basic(CANARY, CANARY)],
    ['a client nobody knows, by Basic without a secret', IC_BASIC, {}, basic(CANARY, '')],
    ['the id in another case', IC, { ...BOX, client_id: 'Box' }],
    ['a wrong secret', IC, { client_id: 'box', client_secret: CANARY }],
    ['a wrong secret by Basic', IC_BASIC, {}, basic('box', CANARY)],
    ['the secret of another client', IC, { client_id: 'box', client_secret: LAMP.client_secret }],
    ['the secret of another client by Basic', IC_BASIC, {}, basic('box', LAMP.client_secret)],
    ['the digest of the secret', IC, { client_id: 'box', client_secret: digestOf(BOX_SECRET) }],
    ['the secret and a space', IC, { client_id: 'box', client_secret: `${BOX_SECRET} ` }],
    ['the secret cut at NUL', IC, { client_id: 'box', client_secret: `${BOX_SECRET}\u0000` }],
    ['no secret', IC, { client_id: 'box' }],
    ['no secret by Basic', IC_BASIC, {}, basic('box', '')],
    ['a secret for a public client', IC, { client_id: 'tv', client_secret: CANARY }],
    ['a secret for a public client by Basic', IC_BASIC, {}, basic('tv', CANARY)],
    ['a secret for a built-in client', IC, { client_id: 'cli', client_secret: CANARY }],
    ['a wrong secret in both places', IC_BASIC, { client_secret: CANARY }, basic('box', CANARY)],
    [
      'the same secret in both places, of another id',
      IC_BASIC,
      { ...BOX, client_id: 'lamp' },
      basic('box', BOX_SECRET)
    ],
    [
      'the secret in the body as it is encoded in Basic',
      TWO_WAYS,
      { client_secret: encodeURIComponent(BOX_SECRET) },
      basic('box', BOX_SECRET)
    ],
    ['a wrong secret in the body besides Basic', TWO_WAYS, { client_secret: CANARY }, basic('box', BOX_SECRET)],
    ['a secret in the body besides Basic without one', TWO_WAYS, BOX, basic('box', '')],
    ['a secret in the body besides a Bearer', TWO_WAYS, BOX, `Bearer ${session}`],
    ['another id in the body', IC_BASIC, { client_id: 'lamp' }, basic('box', BOX_SECRET)],
    ['the id of a public client in the body', IC_BASIC, { client_id: 'tv' }, basic('box', BOX_SECRET)],
    ['an id in the body besides a Basic that is nobody', IC_BASIC, { client_id: 'tv' }, basic('', '')],
    ['an assertion', IC, { client_id: 'box', client_assertion: CANARY, client_assertion_type: CANARY }],
    ['Basic alone', IC_BASIC, {}, 'Basic'],
    ['Basic and spaces', IC_BASIC, {}, 'Basic   '],
    ['an empty header', IC_BASIC, {}, ''],
    ['no base64', IC_BASIC, {}, 'Basic !!!'],
    ['base64url', IC_BASIC, {}, `Basic ${base64url('box:\u00ff\u00fe???>>>')}`],
    ['the text as it is', IC_BASIC, {}, `Basic box:${encoded(BOX_SECRET)}`],
    ['no colon', IC_BASIC, {}, basicOf(CANARY)],
    ['a colon alone', IC_BASIC, {}, basicOf(':')],
    ['a secret without an id', IC_BASIC, {}, basicOf(`:${encoded(BOX_SECRET)}`)],
    ['a bad per cent sign in the id', IC_BASIC, {}, basicOf('box%:x')],
    ['a bad per cent sign in the secret', IC_BASIC, {}, basicOf('box:%zz')],
    ['broken UTF-8 behind per cent signs', IC_BASIC, {}, basicOf('box:%ff%fe')],
    ['broken UTF-8', IC_BASIC, {}, basicOf(Buffer.from('626f783aff', 'hex'))],
    ['a secret that was not encoded first', IC_BASIC, {}, basicOf(`box:${BOX_SECRET}`)],
    ['a NUL after the id', IC_BASIC, {}, basicOf(`box\u0000:${encoded(BOX_SECRET)}`)],
    ['a line end after the secret', IC_BASIC, {}, basicOf(`box:${encoded(BOX_SECRET)}\n`)],
    ['Basic twice in one header', IC_BASIC, {}, `${basic('box', BOX_SECRET)}, ${basic('box', BOX_SECRET)}`],
    ['more after Basic', IC_BASIC, {}, `${basic('box', BOX_SECRET)} x`],
    ['padding and more', IC_BASIC, {}, `${basic('box', BOX_SECRET)}==${CANARY}`],
    ['a session as Bearer', IC_BASIC, {}, `Bearer ${session}`],
    ['an access token as Bearer', IC_BASIC, {}, `Bearer ${access_token}`],
    ['an access token besides an id', IC_BASIC, { client_id: 'tv' }, `Bearer ${access_token}`],
    ['Bearer instead of Basic', IC_BASIC, {}, basic('box', BOX_SECRET).replace('Basic', 'Bearer')],
    ['Digest', IC_BASIC, {}, `Digest username="${CANARY}"`],
    ['no scheme', IC_BASIC, {}, basic('box', BOX_SECRET).replace('Basic ', '')],
    ['Basic without a space', IC_BASIC, {}, basic('box', BOX_SECRET).replace(' ', '')],
    ['8 KB of Basic', IC_BASIC, {}, basic('box', CANARY.repeat(470))],
    ['the name of a prototype', IC, { client_id: '__proto__' }],
    ['the name of a method', IC, { client_id: 'toString' }],
    ['the name of a prototype by Basic', IC_BASIC, {}, basic('__proto__', '')]
  ]
  for (const [operation, { url, parameters }] of Object.entries(asks)) {
    t.test(operation, async (t) => {
      // What is a confidential client's is revoked for no one else, and that is what these tokens are.
      const isRevocation = operation.startsWith('revokeToken')
      const nobody = operation === 'introspectToken' || isRevocation ? IC : ID_MISSING
      for (const [about, expected, body, authorization] of attempts) {
        // Introspection also takes API keys as bearer tokens, so an unknown one is refused as a token.
        const isNoKey = operation === 'introspectToken' && expected === IC_BASIC && authorization?.startsWith('Bearer ')
        const unnamed = isRevocation && body.client_secret ? ID_MISSING : nobody
        const verdict = isNoKey ? BAD_TOKEN : expected === ID_MISSING ? unnamed : expected
        const headers = { ...(authorization !== undefined && { authorization }) }
        await refuses(t, form(url, { ...parameters, ...body }, headers), verdict, about)
        await refuses(t, json(url, { ...parameters, ...body }, headers), verdict, `${about}, JSON`)
      }
      const query = new URLSearchParams({ client_secret: BOX_SECRET })
      const inQuery = { ...form(url, { ...parameters, client_id: 'box' }), url: `${url}?${query}` }
      await refuses(t, inQuery, IC, 'the secret in the query')
      const besideBasic = {
        ...form(url, parameters, { authorization: basic('box', BOX_SECRET) }),
        url: `${url}?${query}`
      }
      await refuses(t, besideBasic, TWO_WAYS, 'the secret in the query besides Basic')
      const wholeQuery = { ...form(url, parameters), url: `${url}?${new URLSearchParams(BOX)}` }
      await refuses(t, wholeQuery, nobody, 'id and secret in the query')
    })
  }

  t.test('401 a public client that introspects, whatever it asks about', async (t) => {
    for (const token of [access_token, refresh_token, CANARY]) {
      for (const client_id of ['tv', 'cli', 'once']) {
        await refuses(t, form(PATHS.introspectToken, { client_id, token }), IC, client_id)
        const headers = { authorization: basic(client_id, '') }
        await refuses(t, form(PATHS.introspectToken, { token }, headers), IC_BASIC, `${client_id} by Basic`)
      }
    }
  })

  t.test('400 unauthorized_client without the grant, and then nothing is looked at', async (t) => {
    const { device_code } = await startGrant(TV)
    for (const proof of [API, ONCE] as Parameters[]) {
      for (const refresh_token of [tokens.refresh_token, CANARY, '']) {
        const parameters = { ...proof, grant_type: 'refresh_token', refresh_token }
        await refuses(t, form(PATHS.requestToken, parameters), UC, `${proof.client_id}, a refresh token`)
      }
    }
    for (const scope of ['', 'openid', CANARY]) {
      await refuses(t, form(PATHS.authorizeDevice, { ...API, scope }), UC, `api, scope "${scope}"`)
    }
    for (const code of [device_code, grant.device_code, CANARY, '']) {
      const parameters = { ...API, grant_type: DEVICE_CODE_GRANT, device_code: code }
      await refuses(t, form(PATHS.requestToken, parameters), UC, 'api, a device code')
    }
  })

  t.test('400 two Authorization headers, whichever comes first', async (t) => {
    const twice = { ...IR, sentence: 'There is more than one Authorization header.' }
    const good = basic('box', BOX_SECRET)
    for (const pair of [
      [good, good],
      [good, basic('lamp', LAMP.client_secret)],
      [good, `Bearer ${CANARY}`],
      [`Bearer ${CANARY}`, good],
      ['', good]
    ]) {
      for (const [operation, { url, parameters }] of Object.entries(asks)) {
        const request = { ...form(url, parameters), headers: { 'content-type': FORM, Authorization: pair } }
        await refuses(t, request, twice, `${operation}: ${pair.map((text) => text.slice(0, 9))}`)
      }
    }
    // RFC 6750 §3: a malformed request is told in the challenge how tokens are sent.
    for (const method of ['GET', 'POST'] as const) {
      const headers = { Authorization: [`Bearer ${access_token}`, `Bearer ${CANARY}`] }
      await refuses(t, { method, url: PATHS.userinfo, headers }, twice, `userinfo by ${method}`)
    }
  })

  t.test('401 a client that the operator has taken away, and nothing it has got is good', async (t) => {
    const other = await startApp(t, variables)
    const gone = async (request: InjectOptions, verdict: Verdict, about: string) =>
      refused(t, await other.app.inject(request), { ...verdict, ...challengeAt(String(request.url), verdict) }, about)
    for (const [operation, { url, parameters }] of Object.entries(asks)) {
      await gone(form(url, { ...parameters, ...BOX }), IC, operation)
      await gone(form(url, parameters, { authorization: basic('box', BOX_SECRET) }), IC_BASIC, `${operation} by Basic`)
      await gone(form(url, { ...parameters, client_id: 'tv' }), IC, `${operation}, a public one`)
    }
    const headers = { authorization: `Bearer ${access_token}` }
    await gone({ method: 'GET', url: PATHS.userinfo, headers }, BAD_TOKEN, 'userinfo')
  })

  t.test('200 the right ways', async (t) => {
    const { url, parameters } = asks.introspectToken as (typeof asks)[string]
    const ways: [about: string, body: Parameters, authorization?: string][] = [
      ['by post', BOX],
      ['by Basic', {}, basic('box', BOX_SECRET)],
      ['by Basic, with the same id and secret in the body', BOX, basic('box', BOX_SECRET)],
      ['by Basic, with the same secret in the body', { client_secret: BOX_SECRET }, basic('box', BOX_SECRET)],
      ['by Basic, with the id in the body', { client_id: 'box' }, basic('box', BOX_SECRET)],
      [
        'by Basic, with an empty id and secret in the body',
        { client_id: '', client_secret: '' },
        basic('box', BOX_SECRET)
      ],
      ['by Basic in small letters', {}, basic('box', BOX_SECRET).replace('Basic', 'basic')],
      ['by Basic with spaces as %20', {}, basicOf(`box:${encoded(BOX_SECRET)}`)],
      ['by Basic with more encoded than need be', {}, basicOf(`%62ox:${encoded(BOX_SECRET).replace('s', '%73')}`)],
      ['by Basic without padding', {}, basic('box', BOX_SECRET).replace(/=+$/, '')],
      ['by Basic and more spaces', {}, basic('box', BOX_SECRET).replace(' ', '   ')]
    ]
    for (const [about, body, authorization] of ways) {
      const headers = { ...(authorization !== undefined && { authorization }) }
      for (const request of [
        form(url, { ...parameters, ...body }, headers),
        json(url, { ...parameters, ...body }, headers)
      ]) {
        const answer = await askInVain(t, request, about)
        t.equal(answer.json().active, true, about)
      }
    }
    const headers = { authorization: basic('tv', '') }
    for (const body of [{}, { client_id: 'tv' }]) {
      const answer = await app.inject(form(PATHS.authorizeDevice, { ...body, scope: 'openid' }, headers))
      t.equal(answer.statusCode, 200, 'a public client by Basic, with an empty password')
    }
  })

  t.test('what was good is still good, and nothing was used up', async (t) => {
    t.ok(asked() >= 600, `${asked()} requests`)
    t.equal((await redeem(BOX, grant.device_code)).status, 200)
    t.equal((await refresh(BOX, refresh_token)).status, 200)
  })
})

t.test('scopes that are asked for', async (t) => {
  const { app, startGrant, decide, redeem, refuses, post } = await setUp(t)
  const many = Array.from({ length: 51 }, (_, i) => `s${i}`)
  const bad = [
    ...['admin', 'profile admin', CANARY, 'email', 'OpenID'],
    ...['openid\tprofile', 'openid\nprofile', 'openid\u00a0profile', 'openid,profile', 'openid+profile%20'],
    ...['"', '"openid"', '\\', 'é', '\u007f', '\u0000', 'openid\u0000', 'openid %zz'],
    ...[many.join(' '), Array.from({ length: 51 }, () => 'openid').join(' ')],
    ...['__proto__', 'constructor', 'length']
  ]
  for (const scope of bad) {
    const about = encodeURIComponent(scope).slice(0, 40)
    await refuses(t, form(PATHS.authorizeDevice, { ...TV, scope }), IS, about)
    await refuses(t, json(PATHS.authorizeDevice, { ...TV, scope }), IS, `${about}, JSON`)
  }
  t.equal((await app.inject(form(PATHS.authorizeDevice, 'client_id=tv&scope=openid%'))).statusCode, 400, 'openid%')

  t.test('200 none, an empty one, one with words or spaces twice', async (t) => {
    const good: Record<string, string | undefined> = {
      '': undefined,
      ' ': undefined,
      'openid openid': 'openid',
      ' openid  profile ': 'openid profile',
      'profile openid profile': 'profile openid',
      [Array.from({ length: 50 }, () => 'openid').join(' ')]: 'openid'
    }
    for (const [scope, granted] of Object.entries(good)) {
      const { device_code, user_code } = await startGrant(TV, scope)
      await decide(user_code, 'ann')
      t.equal((await redeem(TV, device_code)).body.scope, granted, `"${scope.slice(0, 30)}"`)
    }
    t.equal((await post(PATHS.authorizeDevice, TV)).status, 200, 'none at all')
  })

  t.test('400 invalid_target for a resource that nobody knows, however it is written', async (t) => {
    for (const resource of ['https://evil.example#f', ISSUER, CANARY, '  ', 'x'.repeat(5_000)]) {
      const parameters = { ...TV, resource }
      await refuses(t, form(PATHS.authorizeDevice, parameters), BAD_RESOURCE, 'a form')
      await refuses(t, json(PATHS.authorizeDevice, { ...TV, resource: [resource] }), BAD_RESOURCE, 'JSON')
    }
    const several = Array.from({ length: 40 }, (_, i) => `resource=${i}`).join('&')
    await refuses(t, form(PATHS.authorizeDevice, `client_id=tv&${several}`), BAD_RESOURCE, 'many')
    for (const resource of [5, {}, [5], [null], [['x']], null, true]) {
      await refuses(t, json(PATHS.authorizeDevice, { ...TV, resource }), IR, JSON.stringify(resource))
    }
    t.equal((await post(PATHS.authorizeDevice, { ...TV, resource: '' })).status, 200, 'one without a value is left out')
  })

  t.test('200 what a client says of itself, or wishes for, changes nothing', async (t) => {
    const wishes = {
      user_code: 'BBBB-BBBB',
      device_code: CANARY,
      verification_uri: 'https://evil.example',
      interval: '0',
      expires_in: '999999',
      audience: CANARY,
      redirect_uri: 'https://evil.example',
      code_challenge_method: 'plain'
    }
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const { status, body } = await post(PATHS.authorizeDevice, { ...TV, ...wishes }, headers)
    t.equal(status, 200)
    t.strictSame(
      [body.verification_uri, body.verification_uri_complete, body.interval, body.expires_in],
      [`${ISSUER}/device`, `${ISSUER}/device?code=${body.user_code}`, 5, 900]
    )
    t.not(body.user_code, wishes.user_code)
    t.match(body.device_code, /^[\w-]{43}$/)
  })
})

t.test('grant types', async (t) => {
  const { startGrant, authorize, decide, redeem, refresh, refuses } = await setUp(t)
  const { device_code, user_code } = await startGrant(BOX)
  await decide(user_code, 'ann')
  const { refresh_token } = await authorize(BOX, 'ann', 'offline_access')
  const rest = { ...BOX, device_code, refresh_token }
  for (const grant_type of [
    ...['device_code', `${DEVICE_CODE_GRANT} `, ` ${DEVICE_CODE_GRANT}`, DEVICE_CODE_GRANT.toUpperCase()],
    ...[`${DEVICE_CODE_GRANT}\u0000`, `${DEVICE_CODE_GRANT}/`, encodeURIComponent(DEVICE_CODE_GRANT)],
    ...['jwt-bearer', 'saml2-bearer', 'token-exchange'].map((name) => `urn:ietf:params:oauth:grant-type:${name}`),
    ...['authorization-code', 'client_credentials', 'password', 'implicit', 'Refresh_Token', 'refresh_token '],
    ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', ' ', CANARY]
  ]) {
    const about = encodeURIComponent(grant_type)
    await refuses(t, form(PATHS.requestToken, { ...rest, grant_type }), UG, about)
    await refuses(t, json(PATHS.requestToken, { ...rest, grant_type }), UG, `${about}, JSON`)
    const known = { ...TV, device_code, refresh_token, grant_type }
    await refuses(t, form(PATHS.requestToken, known), UG, `${about}, a public client`)
    const unknown = { ...rest, grant_type, client_id: CANARY }
    await refuses(t, form(PATHS.requestToken, unknown), IC, `${about}: who asks comes first`)
  }
  t.test('400 each with what belongs to the other', async (t) => {
    const missing = (name: string) => ({ ...IR, sentence: `${name} is missing.` })
    const codeOnly = { ...BOX, grant_type: 'refresh_token', device_code }
    await refuses(t, form(PATHS.requestToken, codeOnly), missing('refresh_token'), 'a device code alone')
    const tokenOnly = { ...BOX, grant_type: DEVICE_CODE_GRANT, refresh_token }
    await refuses(t, form(PATHS.requestToken, tokenOnly), missing('device_code'), 'a refresh token alone')
    const swapped = { ...BOX, device_code: refresh_token, refresh_token: device_code }
    const asCode = { ...swapped, grant_type: DEVICE_CODE_GRANT }
    await refuses(t, form(PATHS.requestToken, asCode), BAD_DEVICE_CODE, 'a refresh token as device code')
    const asToken = { ...swapped, grant_type: 'refresh_token' }
    await refuses(t, form(PATHS.requestToken, asToken), BAD_REFRESH_TOKEN, 'a device code as refresh token')
  })
  t.test('what was good is still good', async (t) => {
    t.equal((await redeem(BOX, device_code)).status, 200, 'the code')
    t.equal((await refresh(BOX, refresh_token)).status, 200, 'the refresh token')
  })
})

t.test('device codes', async (t) => {
  const { app, clock, redis, call, poll, startGrant, decide, redeem, post, refuses, askInVain } = await setUp(t)
  const expired = await startGrant(BOX, 'openid')
  const spent = await startGrant(BOX, 'openid')
  await decide(spent.user_code, 'ann')
  await redeem(BOX, spent.device_code)
  clock.advance(900_000)
  const [pending, approved, denied] = [
    await startGrant(BOX, 'openid'),
    await startGrant(BOX, 'openid'),
    await startGrant(BOX)
  ]
  await decide(approved.user_code, 'ann')
  await decide(denied.user_code, 'ann', 'deny')
  await redeem(BOX, pending.device_code)
  const codes = { pending, approved, denied, expired, spent, unknown: { device_code: base64url('x'.repeat(32)) } }
  const others: Parameters[] = [LAMP, TV, { client_id: 'cli' }, ONCE]
  const poller = (client: Parameters, device_code: string, more: Parameters = {}) =>
    form(PATHS.requestToken, { ...client, grant_type: DEVICE_CODE_GRANT, device_code, ...more })

  t.test('400 invalid_grant to another client, the same bytes in every state', async (t) => {
    const bodies = new Set<string>()
    for (const [state, { device_code }] of Object.entries(codes)) {
      for (const client of others) {
        for (const headers of [{}, { prefer: 'wait=5' }]) {
          const request = poller(client, device_code)
          const answer = { ...request, headers: { ...request.headers, ...headers } }
          bodies.add(await refuses(t, answer, BAD_DEVICE_CODE, `${client.client_id}, ${state}`))
        }
        const headers = { authorization: basic(client.client_id ?? '', client.client_secret ?? '') }
        const byBasic = form(PATHS.requestToken, { grant_type: DEVICE_CODE_GRANT, device_code }, headers)
        bodies.add(await refuses(t, byBasic, BAD_DEVICE_CODE, `${client.client_id} by Basic, ${state}`))
      }
    }
    t.equal(bodies.size, 1, [...bodies].join(', '))
  })

  t.test('the dashboard API knows none of them', async (t) => {
    for (const [state, { device_code }] of Object.entries(codes)) {
      const before = await snapshot(redis)
      t.strictSame((await poll(device_code)).body, { status: 'expired_token' }, state)
      t.strictSame(await snapshot(redis), before, `${state}: nothing changed`)
    }
  })

  t.test('400 what is no code of anybody, though it looks like one', async (t) => {
    const code = approved.device_code
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const sameBits = [1, 2, 3].map((bits) => code.slice(0, -1) + alphabet[alphabet.indexOf(code.slice(-1)) ^ bits])
    t.ok(
      sameBits.every((text) => Buffer.from(text, 'base64url').equals(Buffer.from(code, 'base64url'))),
      'the same bytes in other letters'
    )
    const grantKey = createKeys('grantd:').grant(digestOf(code))
    t.equal(await redis.client.exists(grantKey), 1, 'the digest is what is kept')
    const wrong: Parameters = {
      '42 characters': code.slice(1),
      '44 characters': `${code}A`,
      padded: `${code}=`,
      'a space before': ` ${code}`,
      'a space after': `${code} `,
      'a line end': `${code}\n`,
      NUL: `${code}\u0000`,
      'in capitals': code.toUpperCase(),
      reversed: [...code].reverse().join(''),
      'its digest': digestOf(code),
      'its digest in hex': Buffer.from(digestOf(code), 'base64url').toString('hex'),
      'the key of the grant': createKeys('grantd:').grant(digestOf(code)),
      'its user code': approved.user_code,
      base64: Buffer.from(code, 'base64url').toString('base64'),
      wildcards: '*'.repeat(43),
      'a path': '../'.repeat(14)
    }
    for (const [i, text] of sameBits.entries()) wrong[`the same bytes ${i}`] = text
    for (const [about, text] of Object.entries(wrong)) await refuses(t, poller(BOX, text), BAD_DEVICE_CODE, about)
    const own = (await call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })).body
    await refuses(t, poller(BOX, own.grant_code), BAD_DEVICE_CODE, 'a grant of the dashboard API')
    const twice = { ...IR, sentence: 'device_code is there more than once.' }
    const both = `${new URLSearchParams({ ...BOX, grant_type: DEVICE_CODE_GRANT })}&device_code=${code}&device_code=${code}`
    await refuses(t, form(PATHS.requestToken, both), twice, 'twice')
    const megabyte = poller(BOX, 'x'.repeat(1 << 20))
    await refuses(t, megabyte, TOO_LARGE, 'a megabyte')
  })

  t.test('400 whatever is preferred besides, and none of it is slow', async (t) => {
    for (const prefer of [
      ...['wait', 'wait=', 'wait=x', 'wait=0', 'wait=-1', 'wait=1e1', 'wait=5.5', 'wait=99999999999999999999'],
      ...['wait="5', 'wait=5 x', 'wait=\u0661', 'wait=x, wait=5', 'respond-async, "'],
      ...[`${CANARY}=${CANARY}`, ',,,', '"']
    ]) {
      const { url, payload, headers } = poller(BOX, codes.unknown.device_code)
      const request = { method: 'POST' as const, url, payload, headers: { ...headers, prefer } } as InjectOptions
      await refuses(t, request, BAD_DEVICE_CODE, `prefer: ${encodeURIComponent(prefer)}`)
    }
    for (const prefer of [
      '"'.repeat(15_000),
      ','.repeat(15_000),
      `"${'\\"'.repeat(7_400)}`,
      `"${'\\"x,'.repeat(3_700)}`
    ]) {
      const request = poller({ client_id: 'cli' }, CANARY)
      const effort = await effortOf(async () => {
        const { statusCode } = await app.inject({ ...request, headers: { ...request.headers, prefer } })
        t.equal(statusCode, 400)
      })
      t.ok(effort < 4, `15 KB of ${prefer.slice(0, 5)}: ${effort.toFixed(2)}`)
    }
  })

  t.test('400 each state by its own name to its own client, and a query counts for nothing', async (t) => {
    const names = { denied: 'access_denied', expired: 'expired_token', unknown: 'invalid_grant' } as const
    for (const [state, error] of Object.entries(names)) {
      const { device_code } = codes[state as keyof typeof names]
      await refuses(t, poller(BOX, device_code), { status: 400, error }, state)
      const query = { ...poller(BOX, device_code), url: `${PATHS.requestToken}?device_code=${approved.device_code}` }
      await refuses(t, query, { status: 400, error }, `${state}, another code in the query`)
    }
    clock.advance(31_000)
    await refuses(t, poller(BOX, spent.device_code), BAD_DEVICE_CODE, 'spent')
    t.equal((await redeem(BOX, pending.device_code)).body.error, 'authorization_pending')
    t.equal((await redeem(BOX, pending.device_code)).body.error, 'authorization_pending', 'a repetition')
    t.strictSame((await redeem(BOX, pending.device_code)).body, { error: 'slow_down', interval: 10 })
  })

  t.test('200 the code is still good, and brings what was approved and no more', async (t) => {
    const elsewhere = { ...BOX, resource: CANARY, grant_type: DEVICE_CODE_GRANT, device_code: approved.device_code }
    await refuses(t, form(PATHS.requestToken, elsewhere), BAD_RESOURCE, 'for a resource nobody knows')
    const wishes = { scope: 'openid profile email admin', audience: CANARY, client_type: 'mcp' }
    const { status, body } = await post(PATHS.requestToken, {
      ...BOX,
      ...wishes,
      grant_type: DEVICE_CODE_GRANT,
      device_code: approved.device_code
    })
    t.equal(status, 200)
    const { scope, aud, client_type } = decodeJwt(body.access_token)
    t.strictSame([body.scope, scope, aud, client_type], ['openid', 'openid', ISSUER, 'other'])
    for (const client of others) {
      const { device_code } = approved
      await refuses(t, poller(client, device_code), BAD_DEVICE_CODE, `collected a moment ago, ${client.client_id}`)
    }
    const again = await askInVain(t, poller(BOX, approved.device_code), 'once more')
    t.equal(
      decodeJwt(again.json().access_token).cid,
      decodeJwt(body.access_token).cid,
      'to its own client it is repeated'
    )
  })
})

/** Replaces one character by the next of base64url, so that the text differs in one place. */
const flipped = (text: string, at: number) =>
  `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${at === -1 ? '' : text.slice(at + 1)}`

t.test('refresh tokens', async (t) => {
  const { app, call, clock, authorize, use, refresh, post, refuses, redis } = await setUp(t)
  const scope = 'openid offline_access'
  const lamp = await authorize(LAMP, 'ann', scope)
  const revoked = await authorize(BOX, 'ann', scope)
  await call('DELETE', `/auth/clients/${revoked.id}`, { token: await lastingSession('ann') })
  const byToken = await authorize(BOX, 'ann', scope)
  await post(PATHS.revokeToken, { ...BOX, token: byToken.access_token })
  clock.advance(3_600_000)
  const box = await authorize(BOX, 'ann', scope)
  const other = await authorize(BOX, 'bob', scope)
  const withoutRefresh = await authorize(BOX, 'ann', 'openid')
  const stranger = await authorize(TV, 'ann', scope)
  const old = box.refresh_token
  const current = (await refresh(BOX, old)).body.refresh_token as string
  for (const { access_token } of [box, other, withoutRefresh, stranger]) await use(access_token)
  const refresher = (client: Parameters, refresh_token: string, more: Parameters = {}) =>
    form(PATHS.requestToken, { ...client, grant_type: 'refresh_token', refresh_token, ...more })
  const [head = '', secret = '', seal = ''] = current.split('.')
  const [otherHead = '', otherSecret = '', otherSeal = ''] = other.refresh_token.split('.')

  t.test('400 what is no refresh token, or of another client, or not good any more', async (t) => {
    const wrong: Parameters = {
      garbage: CANARY,
      'the beginning alone': 'grt_',
      'an id alone': head,
      'no seal': `${head}.${secret}`,
      'an empty seal': `${head}.${secret}.`,
      'the right form and a seal that is made up': `${head}.${secret}.${'A'.repeat(24)}`,
      'one letter of the seal': `${head}.${secret}.${flipped(seal, 5)}`,
      'one letter of the secret': `${head}.${flipped(secret, 5)}.${seal}`,
      'the seal of another family': `${head}.${secret}.${otherSeal}`,
      'the secret of another family': `${head}.${otherSecret}.${seal}`,
      'the secret and seal of another family': `${head}.${otherSecret}.${otherSeal}`,
      'the id of another family': `${otherHead}.${secret}.${seal}`,
      'an id that is not there': `grt_00000000-0000-4000-8000-000000000000.${secret}.${seal}`,
      'in capitals': current.toUpperCase(),
      'a space before': ` ${current}`,
      'a space after': `${current} `,
      'a line end': `${current}\n`,
      NUL: `${current}\u0000`,
      padded: `${current}=`,
      'one part more': `${current}.x`,
      'of another client': stranger.refresh_token,
      'of another client, confidential, and expired': lamp.refresh_token,
      'of a client that its user has revoked': revoked.refresh_token,
      'of a client that has revoked itself': byToken.refresh_token,
      'the id of the authorization': box.id,
      'the digest of the token': digestOf(current),
      '8,192 characters': 'x'.repeat(8_192)
    }
    for (const [about, token] of Object.entries(wrong)) {
      await refuses(t, refresher(BOX, token), BAD_REFRESH_TOKEN, about)
      await refuses(t, refresher(BOX, token, { scope: 'openid' }), BAD_REFRESH_TOKEN, `${about}, less of it`)
    }
    await refuses(t, refresher(LAMP, lamp.refresh_token), BAD_REFRESH_TOKEN, 'expired, by its own client')
  })

  t.test('400 an access token or an ID token in its place', async (t) => {
    for (const token of [box.access_token, withoutRefresh.access_token, box.id_token]) {
      await refuses(t, refresher(BOX, token ?? ''), BAD_REFRESH_TOKEN, 'a token of another kind')
    }
  })

  t.test('400 to another client, whether it is current or was rotated', async (t) => {
    for (const token of [current, old]) {
      for (const client of [LAMP, TV, { client_id: 'cli' }] as Parameters[]) {
        await refuses(t, refresher(client, token), BAD_REFRESH_TOKEN, `${client.client_id}`)
      }
    }
  })

  t.test('400 invalid_scope for more than was granted, and the token is not rotated', async (t) => {
    for (const scope of [
      'openid profile',
      'email',
      'openid offline_access admin',
      CANARY,
      'openid\tprofile',
      '"',
      '\\',
      'é',
      '__proto__',
      Array.from({ length: 51 }, () => 'openid').join(' ')
    ]) {
      for (const token of [current, old])
        await refuses(t, refresher(BOX, token, { scope }), IS, encodeURIComponent(scope))
    }
  })

  t.test('200 the current one is still current, an empty scope is none, and less may be asked for', async (t) => {
    const before = (await snapshot(redis)).size
    for (const [wanted, granted] of [
      ['', scope],
      ['openid', 'openid'],
      ['offline_access openid openid', 'offline_access openid']
    ]) {
      const { status, body } = await refresh(BOX, current, { scope: wanted ?? '' })
      t.strictSame([status, body.scope], [200, granted], `"${wanted}"`)
    }
    t.equal((await snapshot(redis)).size, before)
    t.equal((await app.inject('/readyz')).statusCode, 200)
  })
})

t.test('a refused request leaves no trace, not even a time of last use', async (t) => {
  const { call, clock, authorize, refuses, ignores } = await setUp(t)
  const { access_token, refresh_token } = await authorize(BOX, 'ann', 'openid offline_access')
  const lastUse = async () => (await call('GET', '/auth/clients', { user: 'ann' })).body.data[0].last_used_at
  const collectedAt = await lastUse()
  clock.advance(120_000)
  const refresher = (client: Parameters, more: Parameters = {}) =>
    form(PATHS.requestToken, { ...client, grant_type: 'refresh_token', refresh_token, ...more })

  t.test('of a refresh token that somebody else has got hold of', async (t) => {
    await refuses(t, refresher(LAMP), BAD_REFRESH_TOKEN, 'by another client')
    t.equal(await lastUse(), collectedAt, 'it was not used since it was collected')
  })
  t.test('of a revocation by somebody else', async (t) => {
    const before = await lastUse()
    clock.advance(120_000)
    await ignores(t, form(PATHS.revokeToken, { ...LAMP, token: refresh_token }), 'with the refresh token')
    await ignores(t, form(PATHS.revokeToken, { ...LAMP, token: access_token }), 'with the access token')
    t.equal(await lastUse(), before)
  })
  t.test('of a scope that was not granted', async (t) => {
    const before = await lastUse()
    clock.advance(120_000)
    await refuses(t, refresher(BOX, { scope: 'email' }), IS, 'by its own client')
    t.equal(await lastUse(), before)
  })
})

t.test('tokens at introspect, revoke and userinfo', async (t) => {
  const { app, call, clock, authorize, use, refresh, startGrant, decide, redeem, refuses, ignores, asked, askInVain } =
    await setUp(t)
  const scope = 'openid offline_access'
  const short = await authorize(LAMP, 'ann', scope)
  clock.advance(3_600_000)
  const box = await authorize(BOX, 'ann', scope)
  const tv = await authorize(TV, 'bob', scope)
  const plain = await authorize(BOX, 'ann', 'profile')
  const revoked = await authorize(BOX, 'ann', scope)
  await call('DELETE', `/auth/clients/${revoked.id}`, { token: await lastingSession('ann') })
  const rotated = await authorize(BOX, 'ann', scope)
  await refresh(BOX, rotated.refresh_token)
  const good = box.access_token
  for (const { access_token } of [box, tv, plain, rotated]) await use(access_token)
  const pending = await startGrant(LAMP)
  const session = await lastingSession('ann')

  const key = app.core.signingKeys.current()
  if (!key) throw new Error('no signing key')
  const signed =
    (privateKey: Parameters[string] | ReturnType<typeof generateKeyPairSync>['privateKey']) => (text: Buffer) =>
      signWith('sha256', text, { key: privateKey as string, dsaEncoding: 'ieee-p1363' })
  const ours = signed(key.privateKey)
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const theirs = signed(foreign.privateKey as unknown as string)
  const [headerPart = '', payloadPart = '', signature = ''] = good.split('.')
  const header: Json = JSON.parse(Buffer.from(headerPart, 'base64url').toString())
  const claims: Json = JSON.parse(Buffer.from(payloadPart, 'base64url').toString())
  const nowS = Math.floor(clock() / 1000)
  const pem = key.publicKey
  const spki = createPublicKey(pem).export({ format: 'der', type: 'spki' })
  const jwk = createPublicKey(pem).export({ format: 'jwk' })
  const uuid = '00000000-0000-4000-8000-000000000000'

  t.test('200 what is forged the right way is good: the forger works', async (t) => {
    for (const typ of ['at+jwt', 'AT+JWT']) {
      const token = forge({ ...header, typ }, claims, ours)
      const answer = await askInVain(t, form(PATHS.introspectToken, { ...API, token }), typ)
      t.equal(answer.json().active, true, typ)
      const headers = { authorization: `Bearer ${token}` }
      t.equal((await app.inject({ url: PATHS.userinfo, headers })).statusCode, 200, typ)
    }
  })

  const tokens: Parameters = {
    'no token at all': CANARY,
    'three words': `${CANARY}.y.z`,
    dots: '..',
    null: 'null',
    'a session of the dashboard': session,
    'a session signed with our key': forge({ alg: 'ES256', kid: key.kid }, { sub: 'ann', exp: nowS + 600 }, ours),
    'an ID token': box.id_token,
    'an ID token of another client': tv.id_token,
    'an expired token': short.access_token,
    'a token whose user has revoked the client': revoked.access_token,
    'a device code of another client': pending.device_code,
    'a user code': pending.user_code,
    'the id of an authorization': box.id,
    'two parts': `${headerPart}.${payloadPart}`,
    'four parts': `${good}.x`,
    'five parts': `${good}.x.y`,
    'no signature': `${headerPart}.${payloadPart}.`,
    padded: `${good}=`,
    'another signature': `${headerPart}.${payloadPart}.${base64url(CANARY)}`,
    'a DER signature': forge(header, claims, (text) => signWith('sha256', text, key.privateKey)),
    'a signature of zeros': forge(header, claims, () => Buffer.alloc(64)),
    'another payload under our signature': `${headerPart}.${base64url({ ...claims, sub: 'bob' })}.${signature}`,
    'a wrong key': forge(header, claims, theirs),
    'a wrong key of its own name': forge({ ...header, kid: CANARY }, claims, theirs),
    'a wrong key brought along': forge(
      {
        ...header,
        jwk: foreign.publicKey.export({ format: 'jwk' }),
        jku: 'http://127.0.0.1:1/',
        x5u: 'http://127.0.0.1:1/'
      },
      claims,
      theirs
    ),
    'no kid': forge(without(header, 'kid'), claims, ours),
    'a kid that is a list': forge({ ...header, kid: [key.kid] }, claims, ours),
    'a kid of a prototype': forge({ ...header, kid: '__proto__' }, claims, ours),
    'typ JWT': forge({ ...header, typ: 'JWT' }, claims, ours),
    'no typ': forge(without(header, 'typ'), claims, ours),
    'crit unknown': forge({ ...header, crit: ['x'], x: 1 }, claims, ours),
    'b64 false': forge({ ...header, crit: ['b64'], b64: false }, claims, ours),
    'an authorization that is not there': forge(header, { ...claims, cid: uuid }, ours),
    'an authorization of somebody else': forge(header, { ...claims, sub: 'bob' }, ours),
    'a token that is named by no UUID': forge(header, { ...claims, jti: `${uuid}0` }, ours),
    'a client nobody knows': forge(header, { ...claims, client_id: CANARY }, ours),
    'a client of a prototype': forge(header, { ...claims, client_id: '__proto__' }, ours),
    'another issuer': forge(header, { ...claims, iss: 'https://elsewhere.example' }, ours),
    'the issuer and a slash': forge(header, { ...claims, iss: `${ISSUER}/` }, ours),
    'another audience': forge(header, { ...claims, aud: 'https://elsewhere.example' }, ours),
    'expired a second ago': forge(header, { ...claims, exp: nowS - 1 }, ours),
    'expired this second': forge(header, { ...claims, exp: nowS }, ours),
    'exp a text': forge(header, { ...claims, exp: `${nowS + 600}` }, ours),
    'not yet': forge(header, { ...claims, nbf: nowS + 600 }, ours),
    'scope a list': forge(header, { ...claims, scope: ['openid'] }, ours),
    'payload an array': forge(header, [claims], ours),
    'payload null': forge(header, 'null', ours),
    'a payload of half a pair': forge(header, JSON.stringify(claims).replace('"ann"', '"\\ud800"'), ours),
    'header null': forge('null', claims, ours),
    'header no JSON': forge(CANARY, claims, ours)
  }
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'ES384', 'RS256', 'es256']) {
    tokens[`alg "${alg}"`] = forge({ ...header, alg }, claims, () => '')
    tokens[`alg "${alg}" with our signature`] = forge({ ...header, alg }, claims, ours)
  }
  const secrets: Record<string, string | Buffer> = {
    'the public key': pem,
    'the public key, trimmed': pem.trim(),
    'the public key after a newline': `\n${pem}`,
    'the public key in DER': spki,
    'the public key as JWK': JSON.stringify(jwk),
    'the kid': key.kid,
    nothing: '',
    'the secret of the dashboard': DASHBOARD_SECRET
  }
  for (const [about, secret] of Object.entries(secrets)) {
    tokens[`HS256 over ${about}`] = forge({ ...header, alg: 'HS256' }, claims, hmac(secret))
  }
  for (const name of ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_id', 'client_type', 'scope']) {
    tokens[`without ${name}`] = forge(header, without(claims, name), ours)
    for (const value of [null, {}, 5.5e300, true]) {
      if ((name === 'iat' || name === 'exp') && typeof value === 'number') continue
      tokens[`${name} ${JSON.stringify(value)}`] = forge(header, { ...claims, [name]: value }, ours)
    }
  }
  const bytes = Buffer.from(signature, 'base64url')
  for (let at = 0; at < 64; at += 7) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
    tokens[`a bit of byte ${at} flipped`] = `${headerPart}.${payloadPart}.${changed.toString('base64url')}`
  }
  const refreshTokens: Parameters = {
    'a refresh token, rotated': rotated.refresh_token,
    'a refresh token, revoked': revoked.refresh_token,
    'a refresh token, expired': short.refresh_token,
    'a refresh token whose seal is made up': `${(box.refresh_token).slice(0, -24)}${'A'.repeat(24)}`,
    'a refresh token of another client': tv.refresh_token,
    'no refresh token': `grt_${CANARY}`
  }

  t.test('200 {"active":false} to whoever introspects any of them, whatever the hint', async (t) => {
    t.ok(Object.keys(tokens).length >= 110, `${Object.keys(tokens).length} tokens`)
    for (const [about, token] of Object.entries({ ...tokens, ...refreshTokens })) {
      await ignores(t, form(PATHS.introspectToken, { ...BOX, token }), about)
      await ignores(t, json(PATHS.introspectToken, { ...API, token }), `${about}, a resource server`)
    }
    for (const token_type_hint of ['refresh_token', 'access_token', CANARY, '', '__proto__']) {
      await ignores(t, form(PATHS.introspectToken, { ...API, token: session, token_type_hint }), token_type_hint)
    }
    const own = { ...API, token: box.refresh_token }
    await ignores(t, form(PATHS.introspectToken, own), 'a current refresh token, which only its client may ask about')
  })

  t.test('200 to whoever revokes any of them, and nothing is revoked', async (t) => {
    const all = { ...tokens, ...without(without(refreshTokens, 'a refresh token, rotated'), 'x') }
    for (const [about, token] of Object.entries(all)) {
      await ignores(t, form(PATHS.revokeToken, { ...BOX, token }), about)
      await ignores(
        t,
        form(PATHS.revokeToken, { ...TV, token: about === 'a refresh token of another client' ? 'x' : token }),
        `${about}, a public client`
      )
    }
    for (const token of [good, box.refresh_token, rotated.refresh_token]) {
      for (const client of [LAMP, TV, API, ONCE, { client_id: 'cli' }] as Parameters[]) {
        for (const token_type_hint of ['', 'refresh_token', 'access_token', CANARY]) {
          const request = form(PATHS.revokeToken, { ...client, token, token_type_hint })
          await ignores(t, request, `good, but not of ${client.client_id}`)
        }
      }
    }
  })

  const info = (headers: Parameters, more: InjectOptions = {}): InjectOptions[] =>
    (['GET', 'POST'] as const).map((method) => ({ method, url: PATHS.userinfo, headers, ...more }))

  t.test('401 invalid_token at userinfo', async (t) => {
    for (const [about, token] of Object.entries({ ...tokens, ...refreshTokens, refresh: box.refresh_token })) {
      for (const request of info({ authorization: `Bearer ${token}` })) {
        await refuses(t, request, BAD_TOKEN, `${about}, ${request.method}`)
      }
    }
    const odd = ['undefined', '[object', '""', 'x,y', `${good},${good}`, `"${good}"`, 'x'.repeat(9_000)]
    for (const text of odd) {
      for (const request of info({ authorization: `Bearer ${text}` })) {
        await refuses(t, request, BAD_TOKEN, `${text.slice(0, 20)}, ${request.method}`)
      }
    }
  })

  t.test('401 without an error to whoever brings no token, or not in the Authorization header', async (t) => {
    for (const request of info({})) await refuses(t, request, NO_TOKEN, `nothing, ${request.method}`)
    for (const authorization of [
      '',
      'Bearer',
      'Bearer    ',
      good,
      `Basic ${good}`,
      basic('box', BOX_SECRET),
      `DPoP ${good}`,
      `Token ${CANARY}`,
      `Bearer:${good}`,
      `Bearer=${good}`,
      `Bearer\u00a0${good}`,
      `Bearer ${good}\u00a0`,
      `Bearer ${good} ${good}`,
      `Bearer ${good}, Bearer ${good}`
    ]) {
      for (const request of info({ authorization })) {
        await refuses(t, request, NO_TOKEN, `"${authorization.slice(0, 20)}", ${request.method}`)
      }
    }
    const url = `${PATHS.userinfo}?access_token=${good}`
    for (const request of info({ cookie: `access_token=${good}` }, { url })) {
      await refuses(t, request, NO_TOKEN, `in the query, ${request.method}`)
    }
    const twice = { ...IR, sentence: 'The access token is there more than once.' }
    for (const other of [good, CANARY, '']) {
      const beside = `${PATHS.userinfo}?access_token=${other}`
      for (const request of info({ authorization: `Bearer ${good}` }, { url: beside })) {
        await refuses(t, request, twice, `in the header and in the query, ${request.method}`)
      }
      for (const send of [form, json]) {
        const request = send(PATHS.userinfo, { access_token: other }, { authorization: `Bearer ${good}` })
        await refuses(t, request, twice, `in the header and in the body, ${request.headers?.['content-type']}`)
      }
    }
    await refuses(t, form(PATHS.userinfo, { access_token: good }), NO_TOKEN, 'in a form')
    await refuses(t, json(PATHS.userinfo, { access_token: good }), NO_TOKEN, 'in JSON')
    await refuses(t, form(PATHS.userinfo, BOX), NO_TOKEN, 'a client')
  })

  t.test('403 insufficient_scope at userinfo without openid', async (t) => {
    const narrower = (await refresh(TV, tv.refresh_token, { scope: 'offline_access' })).body.access_token
    for (const token of [plain.access_token, narrower, forge(header, { ...claims, scope: 'openid2 OpenID' }, ours)]) {
      for (const request of info({ authorization: `Bearer ${token}` })) {
        await refuses(t, request, SMALL_SCOPE, `${request.method}`)
      }
    }
  })

  t.test('what was good is still good', async (t) => {
    t.ok(asked() >= 900, `${asked()} requests`)
    for (const request of info({ authorization: `bearer ${good}` })) {
      const answer = await askInVain(t, request, `${request.method}`)
      t.strictSame(answer.json(), { sub: 'ann' }, `${request.method}`)
    }
    for (const token of [good, box.refresh_token]) {
      const answer = await askInVain(t, form(PATHS.introspectToken, { ...BOX, token }), 'introspected')
      t.equal(answer.json().active, true)
    }
    await decide(pending.user_code, 'ann')
    t.equal((await redeem(LAMP, pending.device_code)).status, 200)
    // A valid revocation succeeds, which shows that the refused ones failed for their own reason.
    const right = await app.inject(form(PATHS.revokeToken, { ...BOX, token: good }))
    t.strictSame([right.statusCode, right.body], [200, '{}'])
    await ignores(t, form(PATHS.introspectToken, { ...BOX, token: good }), 'revoked by its own client')
    await ignores(t, form(PATHS.introspectToken, { ...BOX, token: box.refresh_token }), 'its refresh token as well')
  })
})
