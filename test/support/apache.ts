/** Apache, as found on PATH, with the deployed configuration, or that of the example; only addresses, ports, certificates and folders are replaced. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { makeCertificate } from './certificates.js'
import { killedAtExit } from './killed-at-exit.js'
import { freePort } from './ports.js'
import { replaceIn, type Torn } from './proxy-process.js'
import { inRoot, serverEnv } from './root.js'
import { type Tls, writeTls } from './tls.js'
import { until } from './until.js'

export const APACHE_CONF = inRoot('deploy/apache.conf')

type Replacement = readonly [pattern: RegExp, by: string]

/**
 * Starts Apache on a port with these upstreams, for IPv4 and IPv6, and on another with TLS. Returns what it has logged so far. The
 * test stops it.
 */
export async function startApache(
  t: Torn,
  port: number,
  upstreams: readonly number[],
  tls?: Tls
): Promise<() => Promise<string>> {
  const conf = await readFile(APACHE_CONF, 'utf8')
  return start(t, port, async (directory) => {
    const replaced = adapt(conf, [
      [/(?<=[ :])\/tmp(?=[/\s])/g, directory],
      [/^ServerRoot .*$/m, `ServerRoot ${serverRoot()}`],
      [/^Listen 8080$/m, `Listen 127.0.0.1:${port}\nListen [::1]:${port}`],
      ...upstreams.map((upstream, i): Replacement => [RegExp(`\\bgrantd-${i + 1}:3333\\b`), `127.0.0.1:${upstream}`])
    ])
    if (!tls) return replaced
    const files = await writeTls(directory, tls)
    const [before, secure = ''] = replaced.split(/^# TLS, and HTTP\/2:$/m)
    const on = adapt(secure.replace(/^# /gm, ''), [
      [/^Listen 8443$/m, `Listen 127.0.0.1:${tls.port}\nListen [::1]:${tls.port}`],
      [/\*:8443/, `*:${tls.port}`],
      [/\S+grantd\.pem/, files.certificate],
      [/\S+grantd\.key/, files.key]
    ])
    return before + on
  })
}

/** The folder of the modules: Debian's, or that beside a program which was unpacked. */
function serverRoot(): string {
  const folder = serverEnv()
    .PATH?.split(':')
    .find((folder) => existsSync(join(folder, 'apache2')))
  const unpacked = join(folder ?? '', '../root/usr/lib/apache2')
  return existsSync(unpacked) ? unpacked : '/usr/lib/apache2'
}

/** Starts examples/apache in front of an API. `change` may change the configuration further. Returns what it has logged so far. The test stops it. */
export async function startExampleApache(
  t: Torn,
  port: number,
  grantd: number,
  api: number,
  change = (conf: string) => conf
): Promise<() => Promise<string>> {
  const secure = await startTls(t, grantd)
  const conf = await readFile(inRoot('examples/apache/apache.conf'), 'utf8')
  return start(t, port, async (directory) => {
    await writeFile(join(directory, 'authority.pem'), secure.authority)
    const replaced = adapt(conf, [
      [/(?<=[ :])\/tmp(?=[/\s])/g, directory],
      [/^Listen 8083$/m, `Listen 127.0.0.1:${port}`],
      [/\bhttps:\/\/grants\.example\.com\//, `https://127.0.0.1:${secure.port}/`],
      [/\/etc\/ssl\/certs\/ca-certificates\.crt$/m, join(directory, 'authority.pem')],
      [/\b127\.0\.0\.1:4000\b/, `127.0.0.1:${api}`]
    ])
    return change(replaced)
  })
}

function adapt(conf: string, replacements: readonly Replacement[]): string {
  return replacements.reduce((text, [pattern, by]) => replaceIn(text, pattern, by), conf)
}

async function start(
  t: Torn,
  port: number,
  confIn: (directory: string) => Promise<string>
): Promise<() => Promise<string>> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-apache-'))
  await chmod(directory, 0o755)
  const file = join(directory, 'apache.conf')
  await writeFile(file, await confIn(directory))

  // Files, because Apache opens /dev/stdout and /dev/stderr anew, which a pipe of Node.js does not allow.
  const log = await open(join(directory, 'out.log'), 'a')
  const options = { env: serverEnv(), stdio: ['ignore', log.fd, log.fd] as ['ignore', number, number] }
  const child = killedAtExit(spawn('apache2', ['-f', file, '-DFOREGROUND'], options))
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
      () => true,
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
