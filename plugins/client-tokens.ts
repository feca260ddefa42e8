/** app.clientTokens: client JWTs, signed and verified by @fastify/jwt with the key and the algorithm we name. */
import fastifyJwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import {
  type ClientTokenClaims,
  type ClientTokens,
  createClientTokens,
  type JwtSigner
} from '../src/tokens/client-tokens.js'

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

    const signer: JwtSigner = {
      sign: (claims, { kid, alg, privateKey }, header) =>
        jwt.sign(claims, { key: privateKey, algorithm: alg, kid, header: { alg, ...header } }),
      verify: (token, { alg, publicKey }, { issuer, typ }) =>
        jwt.verify<ClientTokenClaims>(token, {
          key: publicKey,
          algorithms: [alg],
          ...(issuer !== undefined && { allowedIss: issuer, allowedAud: issuer }),
          checkTyp: typ,
          requiredClaims: ['iss', 'sub', 'aud', 'iat', 'exp', 'jti', 'cid', 'client_type'],
          clockTimestamp: app.clock()
        })
    }
    const { publicUrl: issuer, expectedIssuer } = app.config
    app.decorate('clientTokens', createClientTokens({ keys: app.signingKeys, jwt: signer, issuer, expectedIssuer }))
  },
  { name: 'client-tokens', dependencies: ['signing-keys'] }
)
