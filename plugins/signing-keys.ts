/** app.signingKeys: loaded at start, looked at again once a minute, and every second until there is one. */
import fp from 'fastify-plugin'
import { isFault } from '../src/fault.js'
import { ID_TOKEN_TTL_SECONDS } from '../src/tokens/id-tokens.js'
import { createSigningKeys, type SigningKeys } from '../src/tokens/signing-keys.js'

declare module 'fastify' {
  interface FastifyInstance {
    signingKeys: SigningKeys
  }
}

const REFRESH_EVERY_MS = 60_000
const RETRY_EVERY_MS = 1_000

export const signingKeys = fp(
  async (app) => {
    const keys = createSigningKeys({
      store: app.storage.signingKeys,
      keyring: app.keyring,
      clock: app.clock,
      alg: app.config.signingAlg,
      tokenTtlSeconds: Math.max(
        ID_TOKEN_TTL_SECONDS,
        ...app.config.oauthClients.map(({ accessTokenTtlSeconds }) => accessTokenTtlSeconds)
      )
    })
    app.decorate('signingKeys', keys)

    let timer: NodeJS.Timeout | undefined
    let isClosed = false
    const schedule = () => {
      // A look that was under way while the instance closed would otherwise be followed by others for ever.
      if (!isClosed) timer = setTimeout(again, keys.current() ? REFRESH_EVERY_MS : RETRY_EVERY_MS).unref()
    }
    const again = async () => {
      try {
        await (keys.current() ? keys.refresh() : keys.load())
      } catch (error) {
        // With Redis away the keys at hand stay good; anything else needs somebody to look.
        if (!isFault(error)) app.log.error({ err: error }, 'the signing keys could not be read')
      }
      schedule()
    }

    try {
      await keys.load()
    } catch (error) {
      // A key that cannot be opened must stop the start; a Redis that is away must not.
      if (!isFault(error)) throw error
    }
    schedule()
    app.addHook('onClose', async () => {
      isClosed = true
      clearTimeout(timer)
    })
  },
  { name: 'signing-keys', dependencies: ['storage', 'keyring'] }
)
