/** app.authenticateClient: which OAuth client a request is from (RFC 6749 §2.3, RFC 8628 §3.1). */
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type Client, isPublic } from '../src/core/clients/client.js'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * The client that the header or the body of a request proves. Throws `invalid_client` or `invalid_request`. A promise, which
     * may reject with `too_many_requests`, only where a wrong secret of this client came from this address before.
     */
    authenticateClient(request: FastifyRequest): Client | Promise<Client>
  }
}

interface Sent {
  client_id?: string
  client_secret?: string
}

interface Credentials {
  id: string
  secret: string | undefined
}

const NO_SUCH_URL = 'A client_id that is a URL is https with a host name and a path, and of a host that is let in'

export const clientAuthentication = fp(
  async (app) => {
    const { clients } = app.core
    const isOff = app.config.clientIdMetadata === 'off'

    const proved = (client: Client | undefined, id: string) => {
      if (client) return client
      const isUrl = id.includes('://')
      throw fault('invalid_client', isUrl ? { hint: isOff ? 'No client is known by a URL here' : NO_SUCH_URL } : {})
    }

    app.decorate('authenticateClient', (request: FastifyRequest) => {
      const { id, secret } = credentialsOf(request)
      const known = clients.find(id)
      // Only a secret can be guessed. Most polls are of public clients, and pass here without a promise.
      if (secret === undefined || !known || isPublic(known)) return proved(clients.authenticate(id, secret), id)
      const checked = app.limits.guessSecret(request, id, () => clients.authenticate(id, secret))
      return checked instanceof Promise ? checked.then((client) => proved(client, id)) : proved(checked, id)
    })
  },
  { name: 'client-authentication', dependencies: ['config', 'core', 'authentication', 'limits'] }
)

/**
 * The credentials of a request. A parameter without a value counts as left out (RFC 6749 §3.1). A client must not authenticate in
 * two ways (§2.3), but there are libraries that send the same id and secret by Basic and in the body: that is one way.
 */
function credentialsOf(request: FastifyRequest): Credentials {
  const { client_id: id, client_secret: secret } = (request.body ?? {}) as Sent
  const authorization = request.authorization()
  if (authorization === undefined) {
    if (!id) throw fault('invalid_request', { hint: 'client_id is missing' })
    return { id, secret: secret || undefined }
  }
  const basic = readBasic(authorization)
  const isOther = secret ? secret !== basic?.secret : false
  if (isOther || 'client_secret' in (request.query as object)) {
    throw fault('invalid_request', { hint: 'The client authenticates in two ways' })
  }
  if (!basic || (id && id !== basic.id)) throw fault('invalid_client', { detail: 'the Authorization header' })
  return basic
}

/** Reads HTTP Basic, in which id and secret are form-encoded first (RFC 6749 §2.3.1). Undefined if it is malformed. */
function readBasic(authorization: string): Credentials | undefined {
  const [, base64] = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization) ?? []
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(base64 ?? '', 'base64').toString('utf8')) ?? []
  if (id === undefined || secret === undefined) return undefined
  try {
    return { id: decodeForm(id), secret: decodeForm(secret) || undefined }
  } catch {
    // A per cent sign is not followed by two hexadecimal digits.
    return undefined
  }
}

const decodeForm = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))
