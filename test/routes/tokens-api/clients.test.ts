import { decodeJwt, decodeProtectedHeader } from 'jose'
import t from 'tap'
import { BODIES, makeOneOfEach, requestOf, startTokensApp } from '../../support/tokens-client.js'
import { apiHeaders } from '../expectations.js'
import { contentOf, everyOperation, isText, isThing, refused, UUID } from './every-operation.js'

const body = BODIES.createClient
const LONGEST_SECONDS = 172_800

t.test('201 createClient', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const { providerId } = (await makeOneOfEach(api)) as { providerId: string }

  t.test('201 answers with what was sent, an id and the times, and nothing else', async (t) => {
    const answer = await api.createClient({ providerId }, body)
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    isThing(t, answer.body, clock())
    t.strictSame(contentOf(answer.body), body)
  })

  t.test('201 other members are accepted and dropped', async (t) => {
    const id = '00000000-0000-4000-8000-000000000000'
    const answer = await api.createClient(
      { providerId },
      { ...body, id, sub: 'root', providerId: id, description: 'x' }
    )
    t.equal(answer.status, 201)
    t.not(answer.body.id, id)
    t.strictSame(contentOf(answer.body), body)
  })

  t.test('201 two of one audience are two', async (t) => {
    const ids = await Promise.all([1, 2].map(async () => (await api.createClient({ providerId }, body)).body.id))
    t.equal(new Set(ids).size, 2)
  })

  t.test('name is 3 to 50 characters', (t) =>
    isText(t, 'name', 3, 50, (name) => api.createClient({ providerId }, { ...body, name }))
  )
  t.test('audience is 3 to 100 characters', (t) =>
    isText(t, 'audience', 3, 100, (audience) => api.createClient({ providerId }, { ...body, audience }))
  )
  t.test('400 says which member is missing', async (t) => {
    refused(t, await api.createClient({ providerId }, {}), 400, 'none', 'name is missing.')
    refused(t, await api.createClient({ providerId }, { name: 'abc' }), 400, 'one', 'audience is missing.')
  })
})

t.test('200 listClients and getClient, 204 deleteClient', async (t) => {
  const { api, clock } = await startTokensApp(t, { LIMITS: 'off' })
  const providerId: string = (await api.createProvider({}, BODIES.createProvider)).body.id

  t.test('200 lists those of the provider in the order they were made', async (t) => {
    t.strictSame((await api.listClients({ providerId })).body, [])
    const other = await makeOneOfEach(api)
    const made = []
    for (let i = 0; i < 8; i++) {
      made.push((await api.createClient({ providerId }, { ...body, name: `client ${i}` })).body)
      if (i === 3) clock.advance(1)
    }
    const listed = await api.listClients({ providerId })
    t.equal(listed.status, 200)
    t.strictSame(listed.body, made)
    apiHeaders(t, listed)
    for (const client of made) {
      const answer = await api.getClient({ providerId, clientId: client.id })
      t.strictSame([answer.status, answer.body], [200, client])
    }
    t.equal((await api.listClients(other)).body.length, 1, 'those of another provider are not among them')
  })

  t.test('204 takes one away, and nothing else', async (t) => {
    const before = (await api.listClients({ providerId })).body
    const clientId = before[2].id
    const answer = await api.deleteClient({ providerId, clientId })
    t.strictSame([answer.status, answer.body], [204, ''])
    refused(t, await api.getClient({ providerId, clientId }), 404, 'getClient')
    refused(t, await api.createAccessToken({ providerId, clientId }), 404, 'createAccessToken')
    refused(t, await api.deleteClient({ providerId, clientId }), 404, 'again')
    t.strictSame(
      (await api.listClients({ providerId })).body,
      before.filter(({ id }: { id: string }) => id !== clientId)
    )
  })
})

t.test('201 createAccessToken', async (t) => {
  const { api, clock, key, send } = await startTokensApp(t, {
    LIMITS: 'off',
    PUBLIC_URL: 'https://grants.example/base/'
  })
  const ids = await makeOneOfEach(api)
  const mint = (wish?: unknown) => api.createAccessToken(ids, wish)
  const claimsOf = async (wish?: unknown) => {
    const { status, body } = await mint(wish)
    t.equal(status, 201, JSON.stringify(wish))
    return decodeJwt(body.accessToken)
  }

  t.test('201 without a body: a token for an hour, and exactly three members', async (t) => {
    const answer = await mint()
    t.equal(answer.status, 201)
    apiHeaders(t, answer)
    const { accessToken, ...rest } = answer.body
    const iat = Math.floor(clock() / 1000)
    t.strictSame(rest, { expiresAt: new Date((iat + 3_600) * 1000).toISOString(), type: 'Bearer' })
    const { kid, ...header } = decodeProtectedHeader(accessToken)
    t.strictSame(header, { alg: 'EdDSA', typ: 'at+jwt' })
    t.match(kid, /^[\w-]{16}$/)
    const { jti, ...claims } = decodeJwt(accessToken)
    t.match(jti, UUID)
    t.strictSame(claims, {
      iss: `https://grants.example/base/${ids.providerId}`,
      sub: ids.clientId,
      client_id: ids.clientId,
      aud: body.audience,
      iat,
      nbf: iat - 30,
      exp: iat + 3_600
    })
  })

  t.test('201 with an empty object, or with a body of none', async (t) => {
    for (const wish of [{}, { other: 1, sub: 'root', aud: 'x', iss: 'https://evil.example', client_id: 'y', exp: 1 }]) {
      const { jti: _, ...claims } = await claimsOf(wish)
      const { jti: __, ...usual } = await claimsOf()
      t.strictSame(claims, usual)
    }
    const request = requestOf('createAccessToken', ids, { authorization: `Bearer ${key}`, 'content-length': '0' })
    t.equal((await send(request)).status, 201, 'a length of none')
  })

  t.test('201 every token has an id of its own', async (t) => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => mint()))
    t.equal(new Set(tokens.map(({ body }) => decodeJwt(body.accessToken).jti)).size, 50)
  })

  t.test('201 expiresIn from 1 to 172800, whole seconds', async (t) => {
    for (const expiresIn of [1, 2, 60, LONGEST_SECONDS - 1, LONGEST_SECONDS]) {
      const answer = await mint({ expiresIn })
      t.equal(answer.status, 201, `${expiresIn}`)
      const { iat = 0, exp = 0 } = decodeJwt(answer.body.accessToken)
      t.equal(exp - iat, expiresIn)
      t.equal(Date.parse(answer.body.expiresAt), exp * 1000, 'expiresAt is exp')
    }
    const payload = '{"expiresIn":60.0}'
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const answer = await send({ ...requestOf('createAccessToken', ids, headers), payload })
    t.equal(answer.status, 201, 'a number is what it says, however it is written')
  })

  t.test('400 any other expiresIn', async (t) => {
    const wrong = [LONGEST_SECONDS + 1, 0, -1, -0.5, 1.5, 59.999, 172_800.5, 1e15, 1e308]
    for (const expiresIn of [...wrong, 172_800_000, '60', '', null, true, [60], {}]) {
      refused(t, await mint({ expiresIn }), 400, JSON.stringify({ expiresIn }), /^expiresIn must /)
    }
  })

  t.test('201 useJwtType chooses the type, audienceAsArray the form of aud', async (t) => {
    for (const [useJwtType, typ] of [
      [true, 'jwt'],
      [false, 'at+jwt']
    ]) {
      t.equal(decodeProtectedHeader((await mint({ useJwtType })).body.accessToken).typ, typ)
    }
    t.strictSame((await claimsOf({ audienceAsArray: true })).aud, [body.audience])
    t.strictSame((await claimsOf({ audienceAsArray: false })).aud, body.audience)
    const all = { expiresIn: 5, useJwtType: true, audienceAsArray: true, forceDefaultDomain: true }
    const { iat = 0, ...claims } = await claimsOf(all)
    t.match(claims, { exp: iat + 5, aud: [body.audience], iss: `https://grants.example/base/${ids.providerId}` })
  })

  for (const field of ['useJwtType', 'audienceAsArray', 'forceDefaultDomain']) {
    t.test(`400 ${field} that is neither true nor false`, async (t) => {
      for (const value of [null, 0, 1, 'true', '', [], {}]) {
        refused(t, await mint({ [field]: value }), 400, JSON.stringify(value), `${field} must be boolean.`)
      }
    })
  }

  t.test('201 the clock is the service’s own, to the second', async (t) => {
    clock.advance(1_999)
    const answer = await mint({ expiresIn: 10 })
    const { iat, nbf, exp } = decodeJwt(answer.body.accessToken)
    const now = Math.floor(clock() / 1000)
    t.strictSame([iat, nbf, exp], [now, now - 30, now + 10])
    t.equal(answer.body.expiresAt, new Date((now + 10) * 1000).toISOString())
  })

  t.test('201 aud is the audience of the client, whatever is in it', async (t) => {
    for (const audience of ['sts.amazonaws.com', '//iam.googleapis.com/projects/1/x', 'ü 😀"\\\u0000', 'a,b c']) {
      const { body: client } = await api.createClient(ids, { name: 'client', audience })
      const { body: token } = await api.createAccessToken({ ...ids, clientId: client.id })
      t.equal(decodeJwt(token.accessToken).aud, audience)
      t.equal(decodeJwt(token.accessToken).sub, client.id)
    }
  })
})

for (const alg of ['RS256', 'ES256', 'EdDSA']) {
  t.test(`201 a token signed with ${alg}, where that is configured`, async (t) => {
    const { api } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: alg })
    const { body } = await api.createAccessToken(await makeOneOfEach(api))
    t.equal(decodeProtectedHeader(body.accessToken).alg, alg)
  })
}

t.test('201 a token signed with RS256, where nothing is', async (t) => {
  const { api } = await startTokensApp(t, { PROVIDER_SIGNING_ALG: '' })
  const { body } = await api.createAccessToken(await makeOneOfEach(api))
  t.equal(decodeProtectedHeader(body.accessToken).alg, 'RS256')
})

everyOperation(t, ['listClients', 'createClient', 'getClient', 'deleteClient', 'createAccessToken'])
