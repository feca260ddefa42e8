/**
 * Runs node-oidc-provider as it is deployed for devices: device flow, one public client, a signing key of its own,
 * everything in Redis. Nobody signs in here, because node-oidc-provider leaves the pages for that to its operator. POST
 * /approve makes the same changes to its models that it makes itself after a user has signed in and agreed.
 *
 * Run as: oidc-provider.ts PORT REDIS_URL pipelining | plain
 * With `pipelining` the Redis driver sends the commands of a turn together; `plain` is the driver's default, as in the
 * example.
 */
import { generateKeyPairSync } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { Provider } from 'oidc-provider'
import { redisAdapter } from './oidc-adapter.js'

const [port, redisUrl = '', driver] = process.argv.slice(2)
const CLIENT_ID = 'cli'
const USER = 'bench'

const redis = new Redis(redisUrl, { protocol: 2, enableAutoPipelining: driver === 'pipelining', lazyConnect: true })
await redis.connect()
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: redisAdapter(redis),
  clients: [
    {
      client_id: CLIENT_ID,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      response_types: [],
      redirect_uris: []
    }
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kty: 'RSA', use: 'sig', alg: 'RS256' }] },
  cookies: { keys: ['node-oidc-provider signs its cookies with this'] },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  ttl: { DeviceCode: 900, Grant: 1_209_600, AccessToken: 3_600, IdToken: 3_600, Session: 1_209_600, Interaction: 3_600 }
})

provider.use(async (ctx, next) => {
  if (ctx.path !== '/approve' || ctx.method !== 'POST') return next()
  await approve(await text(ctx.req))
  ctx.status = 204
})
provider.listen(Number(port), '127.0.0.1')

/** Grants the client what it asked for, without the session and the interaction that pages would need. */
async function approve(userCode: string): Promise<void> {
  const code = await provider.DeviceCode.findByUserCode(userCode.replace('-', ''))
  if (!code) throw new Error('there is no such user code')
  const grant = new provider.Grant({ accountId: USER, clientId: CLIENT_ID })
  grant.addOIDCScope('openid')
  const grantId = await grant.save()
  Object.assign(code, { accountId: USER, grantId, scope: 'openid', authTime: Math.floor(Date.now() / 1000) })
  await code.save()
}
