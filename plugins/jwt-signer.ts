/** app.jwtSigner: @fastify/jwt with the key and the algorithm we name, for everything that is signed here. */
import fastifyJwt from '@fastify/jwt'
import { createSigner } from 'fast-jwt'
import fp from 'fastify-plugin'
import type { ClientTokenClaims, JwtSigner } from '../src/core/tokens/access-tokens.js'
import type { SigningKey } from '../src/core/tokens/signing-key.js'

declare module 'fastify' {
  interface FastifyInstance {
    jwtSigner: JwtSigner
  }
}

type Sign = (claims: object) => string

/** Never used, since every call names its key. The library insists on a default, so it gets one that refuses. */
const noDefaultKey = (_request: unknown, _token: unknown, done: (error: Error, key: undefined) => void) =>
  done(new Error('no default key'), undefined)

export const jwtSigner = fp(
  async (app) => {
    await app.register(fastifyJwt, { secret: { private: noDefaultKey, public: noDefaultKey } })
    const { jwt } = app
    const signers = new WeakMap<SigningKey, Map<string, Sign>>()

    /** The library's own engine, kept for each key: it would read the key again for every token, which costs more than to sign. */
    function signerOf(key: SigningKey, { typ }: { typ: string }): Sign {
      const known = signers.get(key) ?? new Map<string, Sign>()
      signers.set(key, known)
      const { kid, alg, privateKey } = key
      const sign = known.get(typ) ?? createSigner({ key: privateKey, algorithm: alg, kid, header: { alg, typ } })
      known.set(typ, sign)
      return sign
    }

    app.decorate('jwtSigner', {
      sign: (claims, key, header) => signerOf(key, header)(claims),
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
