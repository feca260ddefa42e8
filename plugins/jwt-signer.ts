/** app.jwtSigner: @fastify/jwt with the key and the algorithm we name, for everything that is signed here. */
import fastifyJwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import type { ClientTokenClaims, JwtSigner } from '../src/tokens/client-tokens.js'

declare module 'fastify' {
  interface FastifyInstance {
    jwtSigner: JwtSigner
  }
}

/** Never used, since every call names its key. The library insists on a default, so it gets one that refuses. */
const noDefaultKey = (_request: unknown, _token: unknown, done: (error: Error, key: undefined) => void) =>
  done(new Error('no default key'), undefined)

export const jwtSigner = fp(
  async (app) => {
    await app.register(fastifyJwt, { secret: { private: noDefaultKey, public: noDefaultKey } })
    const { jwt } = app

    app.decorate('jwtSigner', {
      sign: (claims, { kid, alg, privateKey }, header) =>
        jwt.sign(claims, { key: privateKey, algorithm: alg, kid, header: { alg, ...header } }),
      verify: (token, { alg, publicKey }, { issuer, typ }) =>
        jwt.verify<ClientTokenClaims>(token, {
          key: publicKey,
          algorithms: [alg],
          ...(issuer !== undefined && { allowedIss: issuer, allowedAud: issuer }),
          checkTyp: typ,
          requiredClaims: ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_id', 'client_type', 'scope'],
          clockTimestamp: app.clock()
        })
    })
  },
  { name: 'jwt-signer', dependencies: ['config'] }
)
