import { gzipSync } from 'node:zlib'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import * as schemas from '../../schemas/generated/oauth.js'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { startApp } from '../support/app.js'
import { base64url } from '../support/forge.js'
import {
  API,
  BAD_DEVICE_CODE,
  BAD_REFRESH_TOKEN,
  BAD_TOKEN,
  BOX,
  BOX_SECRET,
  basic,
  basicOf,
  CANARY,
  FORM,
  form,
  IC,
  IC_BASIC,
  IR,
  IS,
  type Json,
  json,
  LAMP,
  ONCE,
  PATHS,
  type Parameters,
  refused,
  setUp,
  TOO_LARGE,
  TV,
  UC,
  UG,
  type Verdict,
  WRONG_TYPE,
  without
} from '../support/oauth-refusals.js'
import { sessionOf } from '../support/tokens.js'

/** What a well-formed but wrong value of each parameter leads to: a refusal, or an answer that reveals nothing. */
const WRONG: Record<string, Verdict | 'ignored'> = {
  client_id: IC,
  client_secret: IC,
  scope: IS,
  grant_type: UG,
  device_code: BAD_DEVICE_CODE,
  refresh_token: BAD_REFRESH_TOKEN,
  token: 'ignored',
  token_type_hint: 'ignored'
}
/** What a missing parameter leads to; scope and token_type_hint are optional. */
const MISSING: Record<string, Verdict> = {
  client_id: IR,
  client_secret: IC,
  grant_type: IR,
  device_code: IR,
  refresh_token: IR,
  token: IR
}

interface Row {
  operation: keyof typeof PATHS
  schema: { properties: Record<string, { maxLength?: number }> }
  /** A request that is answered with 200. */
  good: Parameters
}

t.test('parameters', async (t) => {
  const { startGrant, decide, authorize, use, redeem, refresh, refuses, ignores, askInVain, asked } = await setUp(t)
  const grant = await startGrant(BOX, 'openid offline_access')
  await decide(grant.user_code, 'ann')
  const tokens = await authorize(BOX, 'ann', 'openid offline_access')
  await use(tokens.access_token)
  const rows: Row[] = [
    { operation: 'authorizeDevice', schema: schemas.DeviceAuthorizationRequest, good: { ...BOX, scope: 'openid' } },
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
      t.strictSame(Object.keys(schema.properties).sort(), [...new Set(tried)].sort(), operation)
    }
  })

  for (const { operation, schema, good } of rows) {
    const url = PATHS[operation]
    const everyWay = (parameters: Parameters): [string, InjectOptions][] => [
      ['form', form(url, parameters)],
      ['JSON', json(url, parameters)]
    ]
    for (const name of Object.keys(good)) {
      const longest = schema.properties[name]?.maxLength ?? 0
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
          const sentence = missing.error === 'invalid_client' ? IC.sentence : `${name} is missing.`
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

        const tooLong = { ...IR, sentence: `${name} must NOT have more than ${longest} characters.` }
        for (const length of [longest + 1, 12_000]) {
          for (const [way, request] of everyWay({ ...good, [name]: CANARY.padEnd(length, 'x') })) {
            await refuses(t, request, tooLong, `${length} characters, ${way}`)
          }
        }
        await comesTo(form(url, { ...good, [name]: CANARY.padEnd(longest, 'x') }), 'as long as it may be')

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
    await refuses(t, form(PATHS.requestToken, `${unknown}&${poll}`), BAD_DEVICE_CODE, 'token')
    t.equal(({} as Json).polluted, undefined)
  })

  t.test('what was good is still good, and nothing was used up', async (t) => {
    t.ok(asked() >= 1_000, `${asked()} requests`)
    const answer = await askInVain(t, form(PATHS.introspectToken, { ...BOX, token: tokens.refresh_token }), 'alive')
    t.equal(answer.json().active, true)
    t.equal((await redeem(BOX, grant.device_code)).status, 200)
    t.equal((await refresh(BOX, tokens.refresh_token)).status, 200)
  })
})

t.test('bodies as a whole', async (t) => {
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
      const missing = { ...IR, sentence: 'The body is missing.' }
      await refuses(t, { method: 'POST', url, headers }, missing, 'no body at all')
      await refuses(t, send(FORM, ''), IR, 'an empty form')
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

  t.test('what was good is still good', async (t) => {
    t.equal((await app.inject({ url: PATHS.userinfo, headers: { authorization } })).statusCode, 200)
    t.ok(asked() >= 500, `${asked()} refusals`)
  })
})

t.test('400 the authorization endpoint, whatever is asked of it', async (t) => {
  const { refuses } = await setUp(t)
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
  const { app, refuses } = await setUp(t)
  const allowed: Record<string, string> = {
    '/.well-known/openid-configuration': 'GET, HEAD',
    '/.well-known/oauth-authorization-server': 'GET, HEAD',
    '/.well-known/jwks.json': 'GET, HEAD',
    '/oauth/authorize': 'GET, HEAD',
    [PATHS.authorizeDevice]: 'POST',
    [PATHS.requestToken]: 'POST',
    [PATHS.revokeToken]: 'POST',
    [PATHS.introspectToken]: 'POST',
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
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
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
    ['the secret in both places', TWO_WAYS, BOX, basic('box', BOX_SECRET)],
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
      const nobody = operation === 'introspectToken' ? IC : ID_MISSING
      for (const [about, expected, body, authorization] of attempts) {
        // Introspection also takes API keys as bearer tokens, so an unknown one is refused as a token.
        const isNoKey = operation === 'introspectToken' && expected === IC_BASIC && authorization?.startsWith('Bearer ')
        const verdict = isNoKey ? BAD_TOKEN : expected === ID_MISSING ? nobody : expected
        const headers = { ...(authorization !== undefined && { authorization }) }
        await refuses(t, form(url, { ...parameters, ...body }, headers), verdict, about)
        await refuses(t, json(url, { ...parameters, ...body }, headers), verdict, `${about}, JSON`)
      }
      const query = new URLSearchParams({ client_secret: BOX_SECRET })
      const inQuery = { ...form(url, { ...parameters, client_id: 'box' }), url: `${url}?${query}` }
      await refuses(t, inQuery, IC, 'the secret in the query')
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
      refused(t, await other.app.inject(request), verdict, about)
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
