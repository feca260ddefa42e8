/** nginx, as found on PATH, with the deployed configuration, or that of the example; only addresses, port and directory are replaced. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killedAtExit } from './killed-at-exit.js'
import { replaceIn, type Torn, takesConnections } from './proxy-process.js'
import { inRoot, serverEnv } from './root.js'
import { type Tls, writeTls } from './tls.js'

export const NGINX_CONF = inRoot('deploy/nginx.conf')

export interface Nginx {
  url: string
  /** Reads the access log: one object per request. */
  requests(): Promise<Record<string, unknown>[]>
  /** Returns the text of both logs. */
  output(): Promise<string>
  stop(): Promise<void>
}

/** Starts nginx on a port with these upstreams, in the order of deploy/nginx.conf, and on another with TLS. The test stops it. */
export async function startNginx(t: Torn, port: number, upstreams: readonly number[], tls?: Tls): Promise<Nginx> {
  const deployed = await readFile(NGINX_CONF, 'utf8')
  return start(t, port, async (directory) => {
    const conf = adapt(deployed, directory, port, upstreams)
    if (!tls) return conf
    const { certificate, key } = await writeTls(directory, tls)
    const listen = `listen 127.0.0.1:${tls.port} ssl http2; listen [::1]:${tls.port} ssl http2;`
    const files = `ssl_certificate ${certificate}; ssl_certificate_key ${key};`
    return replaceIn(conf, /# TLS: listen 8443 ssl http2; .*$/m, `${listen} ${files}`)
  })
}

/** Starts an nginx of one line, `proxy_pass`, as people try things out with. */
export function startBareNginx(t: Torn, port: number, upstream: number): Promise<Nginx> {
  const server = `server { ${listenOf(port)} location / { proxy_pass http://127.0.0.1:${upstream}; } }`
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path tmp-${name};`)
  return start(t, port, () => `pid nginx.pid; events {} http { access_log off; ${paths.join(' ')} ${server} }`)
}

/** Starts examples/nginx, with its site, in front of an API. */
export async function startExampleNginx(t: Torn, port: number, grantd: number, api: number): Promise<Nginx> {
  const conf = await readFile(inRoot('examples/nginx/nginx.conf'), 'utf8')
  return start(t, port, async (directory) => {
    await cp(inRoot('examples/nginx/site'), join(directory, 'site'), { recursive: true })
    let adapted = replaceIn(conf, /\/tmp\//g, `${directory}/`)
    adapted = replaceIn(adapted, /\blisten 8081;/, listenOf(port))
    adapted = replaceIn(adapted, /\bserver 127\.0\.0\.1:3333;/, `server 127.0.0.1:${grantd};`)
    return replaceIn(adapted, /\bserver 127\.0\.0\.1:4000;/, `server 127.0.0.1:${api};`)
  })
}

async function start(t: Torn, port: number, confOf: (directory: string) => string | Promise<string>): Promise<Nginx> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-nginx-'))
  // If root starts nginx, its workers run as `nobody` and need access to the directory.
  await chmod(directory, 0o755)
  const logs = { out: join(directory, 'out.log'), err: join(directory, 'err.log') }
  await writeFile(join(directory, 'nginx.conf'), await confOf(directory))

  const [out, err] = [await open(logs.out, 'a'), await open(logs.err, 'a')]
  const args = ['-p', directory, '-e', 'stderr', '-c', join(directory, 'nginx.conf'), '-g', 'daemon off;']
  const child = killedAtExit(spawn('nginx', args, { env: serverEnv(), stdio: ['ignore', out.fd, err.fd] }))
  // A missing nginx must fail the test and not skip it.
  child.on('error', (error) => {
    throw error
  })
  const exited = once(child, 'exit')
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const output = async () => (await Promise.all([logs.out, logs.err].map((file) => readFile(file, 'utf8')))).join('')

  async function stop(): Promise<void> {
    // SIGTERM to the master also ends the workers; SIGKILL would leave them behind.
    if (!isOver()) child.kill('SIGTERM')
    await exited
  }
  t.teardown(async () => {
    await stop()
    await Promise.all([out.close(), err.close()])
    await rm(directory, { recursive: true, force: true })
  })

  while (!(await takesConnections(port))) {
    if (isOver()) throw new Error(`nginx did not start:\n${await output()}`)
    await sleep(20)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async requests() {
      const lines = (await readFile(logs.out, 'utf8')).split('\n').filter(Boolean)
      return lines.map((line) => JSON.parse(line))
    },
    output,
    stop
  }
}

const listenOf = (port: number) => `listen 127.0.0.1:${port}; listen [::1]:${port};`

/** Replaces the parts of the configuration that a test cannot use. Throws if one of them is not found. */
function adapt(conf: string, directory: string, port: number, upstreams: readonly number[]): string {
  let adapted = replaceIn(conf, /\/tmp\//g, `${directory}/`)
  adapted = replaceIn(adapted, /\blisten 8080;\s+listen \[::\]:8080;/, listenOf(port))
  upstreams.forEach((upstream, i) => {
    adapted = replaceIn(adapted, new RegExp(`\\bserver grantd-${i + 1}:3333 `), `server 127.0.0.1:${upstream} `)
  })
  return adapted
}
