/** app.clientTokens: client JWTs, signed and verified by @fastify/jwt with the key and the algorithm we name. */
import fastifyJwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import { type ClientTokenClaims, type ClientTokens, createClientTokens } from '../src/tokens/client-tokens.js'

declare module 'fastify' {
  interface FastifyInstance {
    clientTokens: ClientTokens
  }
}

/** Never used, since every call names its key. The library insists on a default, so it gets one that refuses. */
const noDefaultKey = (_request: unknown, _token: unknown, done: (error: Error, key: undefined) => void) =>
  done(new Error('no default key'), undefined)

export const clientTokens = fp(
  async (app) => {
    await app.register(fastifyJwt, { secret: { private: noDefaultKey, public: noDefaultKey } })
    const { jwt } = app

    app.decorate(
      'clientTokens',
      createClientTokens(
        app.signingKeys,
        {
          sign: (claims, { kid, alg, privateKey }, header) =>
            jwt.sign(claims, { key: privateKey, algorithm: alg, kid, header: { alg, ...header } }),
          verify: (token, { alg, publicKey }, { iss, aud, typ }) =>
            jwt.verify<ClientTokenClaims>(token, {
              key: publicKey,
              algorithms: [alg],
              allowedIss: iss,
              allowedAud: aud,
              checkTyp: typ,
              requiredClaims: ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_type'],
              clockTimestamp: app.clock()
            })
        },
        app.config.publicUrl
      )
    )
  },
  { name: 'client-tokens', dependencies: ['signing-keys'] }
)
