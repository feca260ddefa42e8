/**
 * An API that takes tokens of grantd, with nothing in front of it. `npm run example:api`, or see README.md. Exit code 1 if it is not
 * told what it needs.
 */
import { buildApi } from './api.js'

const { ISSUER, AUDIENCE, GRANTD_API_KEY, PORT = '4000' } = process.env

if (!ISSUER || !AUDIENCE || !GRANTD_API_KEY) {
  console.error('Set ISSUER, AUDIENCE and GRANTD_API_KEY: examples/protected-api/README.md says to what.')
  process.exit(1)
}
const api = await buildApi({ issuer: ISSUER, audience: AUDIENCE, credentials: { apiKey: GRANTD_API_KEY } })
// The first request need not wait, and wrong credentials show now and not then.
api.verifier.ready().catch((error) => api.log.error(error.cause ?? error, 'no list of revocations yet'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => api.close())
await api.listen({ host: '127.0.0.1', port: Number(PORT) })
