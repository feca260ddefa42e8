/**
 * Sends raw bytes to the service. Whatever arrives, the process lives, and answers in JSON or closes the connection.
 */
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { startApp } from '../support/app.js'
import { freePort } from '../support/ports.js'
import { sessionOf } from '../support/tokens.js'

interface Reply {
  status: number
  headers: Record<string, string>
  body: string
}

interface Exchange {
  /** Every answer, including interim ones (1xx). */
  replies: Reply[]
  /** Whether the server closed the connection. */
  closed: boolean
  ms: number
  raw: string
}

/** Every answer comes sooner, even on a busy machine. */
const PATIENCE_MS = 60_000

/**
 * Sends the pieces with pauses between them (numbers, in ms). Resolves when the server has answered or closed, or the
 * time is over.
 */
function exchange(port: number, pieces: (string | Buffer | number)[], withinMs = PATIENCE_MS): Promise<Exchange> {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    let raw = ''
    let closed = false
    let sent = false
    const socket: Socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    let quiet: NodeJS.Timeout | undefined
    socket.on('data', (data) => {
      raw += data
      clearTimeout(quiet)
      // An answer followed by 100 ms of silence is complete. Two further turns read what arrived while this process was
      // blocked.
      if (sent && replies(raw).some(({ status }) => status >= 200)) quiet = setTimeout(() => lookAgain(raw.length), 100)
    })
    const lookAgain = (length: number) =>
      setImmediate(() => setImmediate(() => (raw.length === length ? finish() : undefined)))
    const finish = () => {
      clearTimeout(timer)
      clearTimeout(quiet)
      socket.destroy()
      resolve({ replies: replies(raw), closed, ms: performance.now() - startedAt, raw })
    }
    const timer = setTimeout(finish, withinMs)
    socket.on('error', () => {})
    socket.on('close', () => {
      closed = true
      finish()
    })
    socket.on('connect', async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return
        if (typeof piece === 'number') await new Promise((next) => setTimeout(next, piece))
        else socket.write(piece)
      }
      sent = true
    })
  })
}

function replies(raw: string): Reply[] {
  const found: Reply[] = []
  let rest = raw
  while (rest.startsWith('HTTP/1.1 ')) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) break
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
    )
    const length = Number(headers['content-length'] ?? 0)
    found.push({ status: Number(first.split(' ')[1]), headers, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
  return found
}

async function listening(t: Test, variables: Record<string, string> = {}) {
  const service = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...variables })
  await service.app.listen({ port: await freePort(), host: '127.0.0.1' })
  const { port } = service.app.server.address() as AddressInfo
  const send = (bytes: string | Buffer, withinMs?: number) => exchange(port, [bytes], withinMs)
  const alive = async (t: Test, about: string) => {
    const { replies } = await send('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    t.equal(replies[0]?.status, 200, `alive after ${about}`)
  }
  return { ...service, port, send, alive }
}

/** Checks a refusal: a 4xx in JSON with an error sentence, or a closed connection without an answer. A 5xx fails. */
function refusedOrClosed(
  t: Test,
  { replies, closed, raw }: Exchange,
  about: string,
  allowed = [400, 404, 405, 408, 411, 413, 414, 415, 417, 431]
) {
  const last = replies.at(-1)
  if (!last) {
    t.ok(closed, `${about}: hung up, "${raw.slice(0, 40)}"`)
    return
  }
  t.ok(allowed.includes(last.status), `${about}: ${last.status}`)
  // Without Host, or with an unknown Expect, Node.js itself answers with a status and an empty body.
  if (last.body === '' && (last.status === 400 || last.status === 417)) return
  t.match(last.headers['content-type'], /^application\/json/, `${about}: JSON`)
  t.type(JSON.parse(last.body).error, 'string', `${about}: ${last.body}`)
  t.notMatch(last.body, /canary|node_modules| at /i, `${about}: says nothing of the input`)
}

const json = '{"client_type":"cli"}'
const post = (headers: string, body = json, path = '/api/v0/auth/grant/code') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}\r\n${body}`
const good = post(`Content-Length: ${json.length}\r\n`)

t.test('malformed requests', async (t) => {
  const { send, alive } = await listening(t)
  t.equal((await send(good)).replies[0]?.status, 200, 'a good one')
  const rows: Record<string, string | Buffer> = {
    'bare LF line ends': good.replaceAll('\r\n', '\n'),
    'one bare LF': good.replace('localhost\r\n', 'localhost\n'),
    'a bare CR': good.replace('localhost\r\n', 'localhost\rX: y\r\n'),
    'two Content-Lengths that differ': post('Content-Length: 5\r\nContent-Length: 21\r\n'),
    'two Content-Lengths alike': post('Content-Length: 21\r\nContent-Length: 21\r\n'),
    'a list of Content-Lengths': post('Content-Length: 21, 21\r\n'),
    'a negative Content-Length': post('Content-Length: -1\r\n'),
    'a Content-Length with a sign': post('Content-Length: +21\r\n'),
    'a Content-Length in hex': post('Content-Length: 0x15\r\n'),
    'a Content-Length with a space': post('Content-Length: 2 1\r\n'),
    'a Content-Length too large to be': post('Content-Length: 99999999999999999999\r\n'),
    'an empty Content-Length': post('Content-Length:\r\n'),
    'both lengths': post('Content-Length: 21\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'both lengths the other way': post('Transfer-Encoding: chunked\r\nContent-Length: 21\r\n', '0\r\n\r\n'),
    xchunked: post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
    'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 'z\r\n'),
    'chunked, identity': post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'),
    identity: post('Transfer-Encoding: identity\r\n', json),
    'a chunk size that is none': post('Transfer-Encoding: chunked\r\n', 'zz\r\n{}\r\n0\r\n\r\n'),
    'a negative chunk size': post('Transfer-Encoding: chunked\r\n', '-1\r\n{}\r\n0\r\n\r\n'),
    'a chunk size too large to be': post('Transfer-Encoding: chunked\r\n', 'ffffffffffffffffff\r\n{}\r\n'),
    'a chunk longer than its size': post('Transfer-Encoding: chunked\r\n', '2\r\n{}canary\r\n0\r\n\r\n'),
    'a chunk line that ends in LF': post('Transfer-Encoding: chunked\r\n', `15\n${json}\r\n0\r\n\r\n`),
    'a chunk extension of 20 KB': post(
      'Transfer-Encoding: chunked\r\n',
      `15;${'x'.repeat(20_000)}\r\n${json}\r\n0\r\n\r\n`
    ),
    'no Host': good.replace('Host: localhost\r\n', ''),
    'a header name with a space': good.replace('Host:', 'X canary: y\r\nHost:'),
    'a space before the colon': good.replace('Host:', 'Content-Length : 5\r\nHost:'),
    'no header name': good.replace('Host:', ': canary\r\nHost:'),
    'a folded header': good.replace('Host:', 'X: y\r\n canary\r\nHost:'),
    'a NUL in a header': good.replace('localhost', 'local\u0000canary'),
    'a control character in a header': good.replace('localhost', 'local\u0001canary'),
    'a header line of 20 KB': good.replace('Host:', `X: ${'canary'.repeat(3_400)}\r\nHost:`),
    'a URL of 20 KB': good.replace('/code', `/code?${'canary'.repeat(3_400)}`),
    '4,000 headers': good.replace('Host:', `${Array.from({ length: 4_000 }, (_, i) => `X${i}: y\r\n`).join('')}Host:`),
    'a method in small letters': good.replace('POST', 'post'),
    'a method nobody knows': good.replace('POST', 'CANARY'),
    TRACE: 'TRACE / HTTP/1.1\r\nHost: x\r\nX: canary\r\n\r\n',
    CONNECT: 'CONNECT canary:443 HTTP/1.1\r\nHost: canary:443\r\n\r\n',
    'PRI of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a version nobody knows': good.replace('HTTP/1.1', 'HTTP/3.7'),
    'no version': 'GET /canary\r\n\r\n',
    'a space in the path': 'GET /can ary HTTP/1.1\r\nHost: x\r\n\r\n',
    'a NUL in the path': 'GET /\u0000canary HTTP/1.1\r\nHost: x\r\n\r\n',
    'the hello of TLS': Buffer.from('16030100a5010000a10303', 'hex'),
    noise: Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 197 + 13) % 256)),
    'only line ends and noise': '\r\n\r\n\r\n\u0001'
  }
  t.test('are refused or hung up on', async (t) => {
    const answers = await Promise.all(
      Object.entries(rows).map(async ([about, bytes]) => [about, await send(bytes)] as const)
    )
    const seen: Record<string, number> = {}
    for (const [about, answer] of answers) {
      refusedOrClosed(t, answer, about)
      const status = String(answer.replies.at(-1)?.status ?? 'closed')
      seen[status] = (seen[status] ?? 0) + 1
    }
    t.comment(JSON.stringify(seen))
    t.ok(answers.length >= 45, `${answers.length} requests`)
    await alive(t, 'all of them')
  })

  t.test('431 for headers that are too large', async (t) => {
    for (const about of ['a header line of 20 KB', 'a URL of 20 KB', '4,000 headers']) {
      const { replies } = await send(rows[about] as string)
      t.equal(replies[0]?.status, 431, about)
    }
  })

  t.test('a smuggled second request is never answered', async (t) => {
    const second = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
    for (const bytes of [
      post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${second}`),
      post(`Content-Length: 21\r\nContent-Length: 0\r\n`, json + second),
      post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${second}`),
      post('Content-Length: 21\r\nTransfer-Encoding : chunked\r\n', json + second)
    ]) {
      const { raw } = await send(bytes)
      t.notMatch(raw, /"ok"/)
    }
  })
})

t.test('bodies that never come', async (t) => {
  const { port, alive } = await listening(t)
  const drip = (text: string) => [...text].flatMap((letter) => [letter, 900])
  const cases: Record<string, (string | number)[]> = {
    'half a request line': ['POST /api'],
    'half the headers': [good.slice(0, 60)],
    'headers, a byte at a time': drip(good.slice(0, 40)),
    'a body that never starts': [post('Content-Length: 21\r\n', '')],
    'a body that stops': [post('Content-Length: 21\r\n', '{"client')],
    'a body, a byte at a time': [post('Content-Length: 21\r\n', ''), ...drip(json)],
    'chunks that never end': [post('Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n')],
    'a chunk at a time': [
      post('Transfer-Encoding: chunked\r\n', ''),
      ...Array.from({ length: 20 }, () => ['1\r\n{\r\n', 900]).flat()
    ]
  }
  t.test('are cut within twelve seconds, and others are served meanwhile', async (t) => {
    const waiting = Object.entries(cases).map(
      async ([about, pieces]) => [about, await exchange(port, pieces, 12_500)] as const
    )
    await alive(t, 'eight that wait')
    for (const [about, answer] of await Promise.all(waiting)) {
      t.ok(answer.closed, `${about}: closed`)
      t.ok(answer.ms > 5_000, `${about}: after ${Math.round(answer.ms)} ms`)
      refusedOrClosed(t, answer, about, [408, 400])
    }
    await alive(t, 'the waiting')
  })
})

t.test('requests that are odd but right', async (t) => {
  const { send, port, call, alive } = await listening(t)

  t.test('200 a body in chunks, one after the other, and on a connection that stays', async (t) => {
    const chunked = post(
      'Transfer-Encoding: chunked\r\n',
      `5\r\n${json.slice(0, 5)}\r\n10;x=y\r\n${json.slice(5)}\r\n0\r\nX: y\r\n\r\n`
    )
    t.equal((await send(chunked)).replies[0]?.status, 200)
    const { replies } = await send(good + good + chunked)
    t.strictSame(
      replies.map(({ status }) => status),
      [200, 200, 200],
      'three in a row'
    )
    const slow = await exchange(port, [good.slice(0, 30), 50, good.slice(30, 90), 50, good.slice(90)])
    t.equal(slow.replies[0]?.status, 200, 'in three packets')
  })

  t.test('a refusal does not cost the connection its next request', async (t) => {
    const bad = post('Content-Length: 2\r\n', '{}')
    const { replies } = await send(bad + good + bad)
    t.strictSame(
      replies.map(({ status }) => status),
      [400, 200, 400]
    )
  })

  t.test('Expect: 100-continue', async (t) => {
    const length = `Content-Length: ${json.length}\r\n`
    const small = await send(post(`${length}Expect: 100-continue\r\n`))
    t.strictSame(
      small.replies.map(({ status }) => status),
      [100, 200]
    )
    const large = await send(post('Content-Length: 10000000000\r\nExpect: 100-continue\r\n', ''))
    t.ok(
      large.replies.some(({ status }) => status === 413),
      'too large: 413 before a byte of it'
    )
    const other = await send(post(`${length}Expect: canary\r\n`))
    refusedOrClosed(t, other, 'another expectation', [417, 400])
  })

  t.test('413 a body too large by its own word, before it has come', async (t) => {
    const { replies } = await send(post('Content-Length: 1073741824\r\n', '{'))
    t.equal(replies[0]?.status, 413)
    t.strictSame(JSON.parse(replies[0]?.body ?? ''), { error: 'The body is too large.' })
    const chunk = 'x'.repeat(4_096)
    const chunks = post('Transfer-Encoding: chunked\r\n', `1000\r\n${chunk}\r\n`.repeat(8))
    t.equal((await send(chunks)).replies[0]?.status, 413, 'in chunks')
  })

  t.test('an upgrade is ignored', async (t) => {
    for (const protocol of ['websocket', 'h2c']) {
      const headers = `Content-Length: ${json.length}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n`
      const { replies } = await send(post(headers))
      t.ok(replies.length <= 1)
      t.not(replies[0]?.status, 101)
    }
    await alive(t, 'upgrades')
  })

  t.test('paths: what is not spelled as documented is another path', async (t) => {
    const token = await sessionOf('ann')
    const get = async (path: string, authorization = '') =>
      (await send(`GET ${path} HTTP/1.1\r\nHost: x\r\n${authorization}Connection: close\r\n\r\n`)).replies[0]
    for (const path of [
      '//api/v0/auth/clients',
      '/api/v0//auth/clients',
      '/api/v0/./auth/clients',
      '/api/v0/x/../auth/clients',
      '/api%2fv0/auth/clients',
      '/api/v0/auth%2fclients',
      '/api/v0/auth/clients;x=y',
      '/api/v0/auth/clients%20',
      '/api/v0/auth/clients%00',
      '/api/v0/auth/clients/',
      '/API/v0/auth/clients',
      '\\api\\v0\\auth\\clients'
    ]) {
      const reply = await get(path, `Authorization: Bearer ${token}\r\n`)
      t.ok([400, 404, 405].includes(reply?.status ?? 0), `${path}: ${reply?.status}`)
      if (reply) t.type(JSON.parse(reply.body).error, 'string', path)
    }
    // `*` may be answered with the start page, but with no other part of the service.
    t.ok([400, 404, 200].includes((await get('*'))?.status ?? 0))
    t.match((await get('/'))?.body, '<form method="post" action="/device"', 'which asks for a code')
    for (const path of ['/api/v0/auth/clients', '/%61pi/v0/auth/clients', 'http://evil.example/api/v0/auth/clients']) {
      t.equal(
        (await get(path))?.status,
        path.startsWith('http') ? (await get(path))?.status : 401,
        `${path} asks for a token`
      )
      t.not((await get(path))?.status, 200, `${path} without one`)
    }
    for (const path of ['/%zz', '/api/v0/auth/clients/%zz', '/%c0%ae', '/%ff']) {
      const reply = await get(path)
      t.equal(reply?.status, 400, path)
      t.strictSame(JSON.parse(reply?.body ?? ''), { error: 'The request cannot be read.' })
    }
  })

  t.test('Host and its relatives never get into an address we hand out', async (t) => {
    for (const headers of [
      'Host: evil.example\r\n',
      'X-Forwarded-Host: evil.example\r\n',
      'X-Forwarded-Proto: javascript\r\n',
      'X-Forwarded-Port: 1\r\n',
      'Forwarded: host=evil.example;proto=https\r\n',
      'X-Original-URL: /evil\r\n',
      'X-Host: evil.example\r\n'
    ]) {
      const { replies } = await send(good.replace('Host: localhost\r\n', `Host: evil.example\r\n${headers}`))
      t.equal(replies[0]?.status, 200, headers.trim())
      t.equal(JSON.parse(replies[0]?.body ?? '').verification_uri, 'http://localhost:3333/device')
      t.notMatch(replies[0]?.body, /evil/)
    }
    for (const host of ['a b', 'u@evil', 'x'.repeat(1_000), '', '[::1', 'evil:99999']) {
      const answer = await send(good.replace('Host: localhost', `Host: ${host}`))
      const [reply] = answer.replies
      if (reply?.status === 200) t.notMatch(reply.body, /evil/, host.slice(0, 20))
      else refusedOrClosed(t, answer, host.slice(0, 20))
    }
    const absolute = await send(good.replace('POST /', 'POST http://evil.example/'))
    t.notMatch(absolute.raw, /evil/)
  })

  t.test('the id of a request is ours', async (t) => {
    for (const id of ['mine', '\u001b[31mred', '{"a":1}', 'x'.repeat(8_000)]) {
      const { replies } = await send(good.replace('Host:', `X-Request-Id: ${id}\r\nRequest-Id: ${id}\r\nHost:`))
      const reply = replies.at(-1)
      if (reply?.status === 200) t.match(reply.headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/)
      else t.equal(reply?.status, 400)
    }
  })

  t.test('400 two Authorization headers, whichever comes first', async (t) => {
    const [ann, bob] = [await sessionOf('ann'), await sessionOf('bob')]
    for (const [one, other] of [
      [ann, bob],
      [ann, ann],
      [ann, 'x'],
      ['x', ann]
    ] as const) {
      const { replies } = await send(
        `GET /api/v0/auth/clients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${one}\r\nauthorization: Bearer ${other}\r\n\r\n`
      )
      t.equal(replies[0]?.status, 400)
      t.strictSame(JSON.parse(replies[0]?.body ?? ''), { error: 'There is more than one Authorization header.' })
      t.equal(replies[0]?.headers['cache-control'], 'no-store')
    }
  })

  t.test('two Content-Types: never a body that nobody checked', async (t) => {
    for (const [one, other] of [
      ['text/plain', 'application/json'],
      ['application/json', 'text/plain']
    ] as const) {
      const bytes = `POST /api/v0/auth/grant/code HTTP/1.1\r\nHost: x\r\nContent-Type: ${one}\r\nContent-Type: ${other}\r\nContent-Length: 2\r\n\r\n{}`
      const { replies } = await send(bytes)
      t.ok([400, 415].includes(replies[0]?.status ?? 0), `${one}, ${other}: ${replies[0]?.status}`)
    }
  })

  t.test('a hundred sockets that say nothing keep nobody out', async (t) => {
    const silent = Array.from({ length: 100 }, () => exchange(port, [], 800))
    t.equal((await call('GET', '/readyz')).status, 200)
    await alive(t, 'a hundred of them')
    await Promise.all(silent)
  })

  t.test('clients that leave in the middle', async (t) => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => exchange(port, [good.slice(0, 10 + i * 3)], 5 + (i % 20))))
    await alive(t, 'fifty that left')
  })
})
