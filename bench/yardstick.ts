/**
 * The smallest server that could answer polls: bare Fastify with one body schema, one response schema and one Redis
 * command.
 * `/poll` runs the product's poll script, `/token` does the same with a form and an OAuth error, `/get` runs a plain
 * GET. `/static/BYTES` sends a text of that length without Redis.
 * The yardstick gets the key itself, so it does not hash; it has no log, no metrics, no deadlines and no error
 * handling. What the service costs beyond the yardstick is the price of those.
 *
 * Run as: yardstick.ts PORT REDIS_URL [BYTES …]
 */
import { type Static, Type } from '@sinclair/typebox'
import fastQuerystring from 'fast-querystring'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { NEVER_LATE, POLL_SCRIPT } from './support/poll-script.js'

const [port, redisUrl = '', ...lengths] = process.argv.slice(2)
/** The poll script expects an id of twelve digits that differs for each poll. */
let pollId = 100_000_000_000

// The driver pipelines by itself here. The service gathers the commands of a turn instead (src/storage/redis/cork.ts).
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
  const verdicts = await redis.evalsha(sha, 1, request.body.grant_code, ++pollId, NEVER_LATE, 1, 'p*')
  return { status: verdicts === null ? 'authorization_pending' : `${verdicts}` }
})
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
  done(null, fastQuerystring.parse(body as string))
)
app.post<TokenRoute>('/token', { schema: tokenSchema }, async (request, reply) => {
  const verdicts = await redis.evalsha(sha, 1, request.body.device_code, ++pollId, NEVER_LATE, 1, 'p*')
  return reply.code(400).send({ error: verdicts === null ? 'authorization_pending' : `${verdicts}` })
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
