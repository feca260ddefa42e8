/**
 * Foreign issuers on the loopback, with TLS certificates of a test authority: a real one, npm's oidc-provider, and a
 * bare one whose documents, keys and tokens a test makes up. Both record their requests.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, request as httpRequest, type RequestListener } from 'node:http'
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, type JWK, type JWTHeaderParameters, SignJWT } from 'jose'
import Provider from 'oidc-provider'
import { type Certificate, makeCertificate } from './certificates.js'
import { freePort } from './ports.js'

type Teardown = { teardown(handler: () => unknown): void }

/** The authority that issues the certificates of all foreign issuers in the tests. */
export const authority = makeCertificate({ name: 'The authority of the tests' })

/** Writes a file for FOREIGN_ISSUER_CA_FILE, which the test removes. */
export function authorityFile(t: Teardown, ...certificates: Certificate[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-ca-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'ca.pem')
  writeFileSync(file, [authority, ...certificates].map(({ pem }) => pem).join(''))
  return file
}

export interface Listener {
  /** The origin without a trailing slash. */
  origin: string
  port: number
  certificate: Certificate
  /** The paths that were requested, in order. */
  readonly requests: string[]
  count(path: string): number
  /** The number of TCP connections to the server, including those whose TLS failed. */
  connections(): number
  /** Stops listening and destroys all connections. */
  down(): Promise<void>
  /** Listens again at the same address. */
  up(): Promise<void>
}

export interface ListenOptions {
  /** Serves plain HTTP instead of TLS. */
  isPlain?: boolean
  certificate?: Certificate
  /** Further certificates that the server sends with its own. */
  chain?: readonly Certificate[]
  /** The host in its URL. */
  host?: string
}

/** Listens on a free port of 127.0.0.1. The test closes it. */
export async function listen(
  t: Teardown,
  handler: RequestListener,
  { isPlain = false, host = 'localhost', chain = [], ...options }: ListenOptions = {}
): Promise<Listener> {
  const hosts = ['localhost', '127.0.0.1']
  const certificate = options.certificate ?? makeCertificate({ name: 'A foreign issuer', issuer: authority, hosts })
  const requests: string[] = []
  let connections = 0
  const answer: RequestListener = (request, response) => {
    requests.push(request.url ?? '')
    handler(request, response)
  }
  const cert = [certificate, ...chain].map(({ pem }) => pem).join('')
  const server = isPlain ? createHttpServer(answer) : createHttpsServer({ key: certificate.key, cert }, answer)
  server.on('connection', () => {
    connections += 1
  })

  async function listenAt(port: number): Promise<number> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  async function down(): Promise<void> {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  const port = await listenAt(await freePort())
  t.teardown(down)
  return {
    origin: `${isPlain ? 'http' : 'https'}://${host}:${port}`,
    port,
    certificate,
    requests,
    count: (path) => requests.filter((asked) => asked === path).length,
    connections: () => connections,
    down,
    async up() {
      await listenAt(port)
    }
  }
}

export const DISCOVERY = '/.well-known/openid-configuration'
export const JWKS = '/jwks'

/** Makes the handler that answers with this in place of a document. */
export const answerWith =
  (body: string | Buffer, status = 200, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)

export interface ForgedKey {
  kid: string
  alg: string
  privateKey: KeyObject
  publicKey: KeyObject
  /** The public key as it is published. */
  jwk: JWK
}

const KINDS = {
  RS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: () => generateKeyPairSync('ed25519')
}

/**
 * Makes a key of an issuer. It is published without `alg`, so that a verifier must decide itself what the key may be
 * used for.
 */
export async function makeKey(kid: string, alg = 'ES256'): Promise<ForgedKey> {
  const kind = /^[RP]S/.test(alg) ? 'RS' : alg === 'Ed25519' ? 'EdDSA' : (alg as keyof typeof KINDS)
  const { privateKey, publicKey } = KINDS[kind]()
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig' } }
}

export interface TokenParts {
  /** The key that signs; by default the first key of the issuer. */
  key?: ForgedKey
  header?: Record<string, unknown>
}

export interface BareIssuer extends Listener {
  /** The issuer identifier. */
  url: string
  /** The keys that it publishes from now on. */
  keys: ForgedKey[]
  /** Members that are added to its discovery document or replace members of it; undefined removes a member. */
  metadata: Record<string, unknown>
  /** Answers a path with this handler from now on; without a handler the path is answered as usual. */
  at(path: string, answer?: RequestListener): void
  /** Makes a token for the audience `relying-party` that is valid for five minutes. An undefined claim is left out. */
  token(claims?: Record<string, unknown>, parts?: TokenParts): Promise<string>
}

export interface BareOptions extends ListenOptions {
  keys?: ForgedKey[]
  clock?: () => number
  /** The path after the origin. */
  path?: string
}

export async function startBareIssuer(
  t: Teardown,
  { keys, clock = Date.now, path = '', ...options }: BareOptions = {}
): Promise<BareIssuer> {
  const answers = new Map<string, RequestListener>()
  const listener = await listen(
    t,
    (request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://localhost')
      const given = answers.get(pathname)
      if (given) given(request, response)
      else if (pathname === path + DISCOVERY) answerWith(JSON.stringify(discovery()))(request, response)
      else if (pathname === path + JWKS)
        answerWith(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }))(request, response)
      else answerWith('{}', 404)(request, response)
    },
    options
  )
  const url = listener.origin + path
  const discovery = () => ({ issuer: url, jwks_uri: url + JWKS, ...issuer.metadata })

  const issuer: BareIssuer = {
    ...listener,
    url,
    keys: keys ?? [await makeKey('one')],
    metadata: {},
    at(at, answer) {
      if (answer) answers.set(path + at, answer)
      else answers.delete(path + at)
    },
    async token(claims = {}, { key = issuer.keys[0] as ForgedKey, header = {} } = {}) {
      const nowSeconds = Math.floor(clock() / 1000)
      const times = { iat: nowSeconds, nbf: nowSeconds, exp: nowSeconds + 300 }
      const all = { iss: url, sub: 'job-1', aud: 'relying-party', role: 'builder', ...times, ...claims }
      const protectedHeader = { alg: key.alg, kid: key.kid, ...header } as JWTHeaderParameters
      return new SignJWT(all).setProtectedHeader(protectedHeader).sign(key.privateKey)
    }
  }
  return issuer
}

export interface RealIssuer extends Listener {
  url: string
  /** Gets an access token from the token endpoint as a client does (RFC 6749 §4.4), for an audience (RFC 8707). */
  token(audience: string): Promise<string>
}

/** Starts oidc-provider with one client, which gets JWTs (RFC 9068) for itself. */
export async function startRealIssuer(t: Teardown, options: Pick<ListenOptions, 'isPlain'> = {}): Promise<RealIssuer> {
  let handle: RequestListener = (_request, response) => response.writeHead(503).end()
  const listener = await listen(t, (request, response) => handle(request, response), options)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const provider = new Provider(listener.origin, {
    clients: [
      {
        client_id: 'job',
        client_secret: 'the secret of the job',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'client_secret_post'
      }
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'real' }] } as never,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } }
        })
      }
    },
    extraTokenClaims: () => ({ role: 'builder' })
  })
  const callback = provider.callback()
  handle = (request, response) => void callback(request, response)

  return {
    ...listener,
    url: listener.origin,
    async token(resource) {
      const credentials = { client_id: 'job', client_secret: 'the secret of the job' }
      const form = new URLSearchParams({ ...credentials, grant_type: 'client_credentials', resource })
      const request = options.isPlain ? httpRequest : httpsRequest
      const asked = request(`${listener.origin}/token`, {
        method: 'POST',
        ca: authority.pem,
        headers: { 'content-type': 'application/x-www-form-urlencoded' }
      })
      asked.end(form.toString())
      const [answer] = await once(asked, 'response')
      let text = ''
      for await (const chunk of answer) text += chunk
      if (answer.statusCode !== 200) throw new Error(`no token: ${answer.statusCode} ${text}`)
      return JSON.parse(text).access_token
    }
  }
}
