/** Debian's Apache with examples/apache; only addresses, port, certificates and directory are replaced. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { makeCertificate } from './certificates.js'
import { freePort } from './ports.js'
import { inRoot } from './root.js'
import { until } from './until.js'

const APACHE = '/usr/sbin/apache2'

type Torn = { teardown(handler: () => unknown): void }

/** Starts Apache in front of an API. `adapt` may change the configuration further. Returns what it has logged so far. The test stops it. */
export async function startExampleApache(
  t: Torn,
  port: number,
  grantd: number,
  api: number,
  adapt = (conf: string) => conf
): Promise<() => Promise<string>> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-apache-'))
  await chmod(directory, 0o755)
  const secure = await startTls(t, grantd)
  await writeFile(join(directory, 'authority.pem'), secure.authority)
  let conf = await readFile(inRoot('examples/apache/apache.conf'), 'utf8')
  for (const [pattern, by] of [
    [/(?<=[ :])\/tmp(?=[/\s])/g, directory],
    [/^Listen 8083$/m, `Listen 127.0.0.1:${port}`],
    [/\bhttps:\/\/grants\.example\.com\//, `https://127.0.0.1:${secure.port}/`],
    [/\/etc\/ssl\/certs\/ca-certificates\.crt$/m, join(directory, 'authority.pem')],
    [/\b127\.0\.0\.1:4000\b/, `127.0.0.1:${api}`]
  ] as const) {
    const replaced = conf.replace(pattern, by)
    if (replaced === conf) throw new Error(`the configuration has no ${pattern}`)
    conf = replaced
  }
  const file = join(directory, 'apache.conf')
  await writeFile(file, adapt(conf))

  // Files, because Apache opens /dev/stderr anew, which a pipe of Node.js does not allow.
  const log = await open(join(directory, 'out.log'), 'a')
  const child = spawn(APACHE, ['-f', file, '-DFOREGROUND'], { stdio: ['ignore', log.fd, log.fd] })
  // A missing Apache must fail the test and not skip it.
  child.on('error', (error) => {
    throw error
  })
  const output = () => readFile(join(directory, 'out.log'), 'utf8')
  const exited = once(child, 'exit')
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await exited
    await log.close()
    await rm(directory, { recursive: true, force: true })
  })
  // It takes connections before it knows whether it can start.
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`Apache did not start:\n${await output()}`)
    return fetch(`http://127.0.0.1:${port}`).then(
      ({ status }) => status === 401,
      () => false
    )
  })
  return output
}

/** TLS in front of a port, because mod_auth_openidc introspects over nothing else. */
async function startTls(t: Torn, upstream: number): Promise<{ port: number; authority: string }> {
  const authority = makeCertificate({ name: 'authority' })
  const { key, pem } = makeCertificate({ name: '127.0.0.1', issuer: authority, hosts: ['127.0.0.1'] })
  const port = await freePort()
  const server = createServer({ key, cert: pem }, (socket) => {
    const plain = connect(upstream, '127.0.0.1')
    socket.pipe(plain).pipe(socket)
    socket.on('error', () => plain.destroy())
    plain.on('error', () => socket.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port, authority: authority.pem }
}
