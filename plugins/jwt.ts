/**
 * app.signer: how tokens of our own are signed and verified, by @fastify/jwt and fast-jwt, its engine. The key and the
 * algorithm are named for every token; the plugin has no key of its own.
 */
import fastifyJwt from '@fastify/jwt'
import { createSigner } from 'fast-jwt'
import fp from 'fastify-plugin'
import type { JwtSigner, SigningKey } from '../src/core/tokens/signing-key.js'

declare module 'fastify' {
  interface FastifyInstance {
    signer: JwtSigner
  }
}

type Sign = (claims: object) => string

/** @fastify/jwt requires a default key. Every call here names its key, so the default refuses. */
const noDefaultKey = (_request: unknown, _token: unknown, done: (error: Error, key: undefined) => void) =>
  done(new Error('no default key'), undefined)

export const jwt = fp(
  async (app) => {
    await app.register(fastifyJwt, { secret: { private: noDefaultKey, public: noDefaultKey } })
    const library = app.jwt
    const signers = new WeakMap<SigningKey, Map<string, Sign>>()

    /** The engine's signer for a key, cached: the plugin would parse the key for every token, which costs more than to sign. */
    function signerOf(key: SigningKey, { typ }: { typ: string }): Sign {
      const known = signers.get(key) ?? new Map<string, Sign>()
      signers.set(key, known)
      const { kid, alg, privateKey } = key
      const sign = known.get(typ) ?? createSigner({ key: privateKey, algorithm: alg, kid, header: { alg, typ } })
      known.set(typ, sign)
      return sign
    }

    app.decorate('signer', {
      sign: (claims, key, header) => signerOf(key, header)(claims),
      verify: (token, { alg, publicKey }, { typ, issuer, claims }) =>
        library.verify(token, {
          key: publicKey,
          algorithms: [alg],
          ...(issuer !== undefined && { allowedIss: issuer }),
          checkTyp: typ,
          requiredClaims: [...claims],
          // The library takes a token in the very millisecond of its `exp` too; RFC 7519, section 4.1.4, ends it there.
          clockTimestamp: app.clock() + 1
        })
    })
  },
  { name: 'jwt', dependencies: ['config'] }
)
