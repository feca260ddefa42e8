/**
 * The least a server could do: bare Fastify, one body schema, one response schema, one command to Redis.
 * `/poll` runs the product's own poll script, `/token` the same for a form and with an answer of OAuth's, `/get` a plain GET.
 * `/static/BYTES` sends a text of so many characters, which needs neither Redis nor thought.
 * It takes the key itself, so it does not even hash; it has no log, no metrics, no deadline and no error handling. What the
 * service needs beyond this is the price of those.
 *
 * Run as: yardstick.ts PORT REDIS_URL [BYTES …]
 */
import { type Static, Type } from '@sinclair/typebox'
import fastQuerystring from 'fast-querystring'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { POLL_SCRIPT } from './support/poll-script.js'

const [port, redisUrl = '', ...lengths] = process.argv.slice(2)
/** Twelve digits, another for each poll, as the script expects it. */
let pollId = 100_000_000_000

// As a driver is used that is told to pipeline; the service gathers the commands of a turn itself (src/storage/redis/turn.ts).
const redis = new Redis(redisUrl, {
  protocol: 2,
  enableAutoPipelining: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  socketTimeout: 2_000,
  lazyConnect: true
})
await redis.connect()
const sha = (await redis.script('LOAD', POLL_SCRIPT)) as string

const Request = Type.Object({ grant_code: Type.String({ minLength: 1, maxLength: 128 }) })
const Response = Type.Object({ status: Type.String() })
const schema = { body: Request, response: { 200: Response } }
type Route = { Body: Static<typeof Request>; Reply: Static<typeof Response> }

const TokenRequest = Type.Object({
  client_id: Type.String(),
  grant_type: Type.String(),
  device_code: Type.String({ minLength: 1, maxLength: 128 })
})
const TokenError = Type.Object({ error: Type.String() })
const tokenSchema = { body: TokenRequest, response: { 400: TokenError } }
type TokenRoute = { Body: Static<typeof TokenRequest>; Reply: Static<typeof TokenError> }

const app = Fastify({ logger: false })
app.post<Route>('/poll', { schema }, async (request) => {
  const verdict = await redis.evalsha(sha, 1, request.body.grant_code, ++pollId, 'p*')
  return { status: verdict === 'pending' ? 'authorization_pending' : `${verdict}` }
})
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
  done(null, fastQuerystring.parse(body as string))
)
app.post<TokenRoute>('/token', { schema: tokenSchema }, async (request, reply) => {
  const verdict = await redis.evalsha(sha, 1, request.body.device_code, ++pollId, 'p*')
  return reply.code(400).send({ error: verdict === 'pending' ? 'authorization_pending' : `${verdict}` })
})
app.post<Route>('/get', { schema }, async (request) => {
  const value = await redis.get(request.body.grant_code)
  return { status: value === null ? 'absent' : 'authorization_pending' }
})
for (const length of lengths) {
  const text = 'x'.repeat(Number(length))
  app.get(`/static/${length}`, async (_request, reply) => reply.type('application/json').send(text))
}
await app.listen({ host: '127.0.0.1', port: Number(port) })
