/** Caddy, as found on PATH, with the deployed configuration; only addresses, ports and certificates are replaced. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { takesConnections } from './nginx.js'
import { inRoot, serverEnv } from './root.js'
import { type Tls, writeTls } from './tls.js'
import { until } from './until.js'

export const CADDYFILE = inRoot('deploy/Caddyfile')

/**
 * Starts Caddy on a port with these upstreams, for IPv4 and IPv6, and on another with TLS. Returns what it has logged so far. The
 * test stops it.
 */
export async function startCaddy(
  t: { teardown(handler: () => unknown): void },
  port: number,
  upstreams: readonly number[],
  tls?: Tls
): Promise<() => string> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-caddy-'))
  let text = await readFile(CADDYFILE, 'utf8')
  const change = (pattern: RegExp, by: string) => {
    if (!pattern.test(text)) throw new Error(`the configuration has no ${pattern}`)
    text = text.replace(pattern, by)
  }
  upstreams.forEach((upstream, i) => {
    change(new RegExp(`\\bgrantd-${i + 1}:3333\\b`), `127.0.0.1:${upstream}`)
  })
  change(/^http:\/\/:8080 \{$/m, `http://:${port} {\n\tbind 127.0.0.1 [::1]`)
  if (tls) {
    const { certificate, key } = await writeTls(directory, tls)
    change(/^# (https:\/\/:8443 \{)\n# (\ttls) .*\n# (\timport edge)\n# \}$/m, `$1\n\tbind 127.0.0.1 [::1]\n$2\n$3\n}`)
    change(/^https:\/\/:8443 /m, `https://:${tls.port} `)
    change(/^\ttls$/m, `\ttls ${certificate} ${key}`)
  }
  const file = join(directory, 'Caddyfile')
  await writeFile(file, text)

  // Where it keeps state of its own, of which this configuration makes none.
  const env = { ...serverEnv(), HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
  const args = ['run', '--config', file, '--adapter', 'caddyfile']
  const child = spawn('caddy', args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] })
  // A missing Caddy must fail the test and not skip it.
  child.on('error', (error) => {
    throw error
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece) => {
      output += piece
    })
  }
  const exited = once(child, 'exit')
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await exited
    await rm(directory, { recursive: true, force: true })
  })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`Caddy did not start:\n${output}`)
    return takesConnections(port)
  })
  return () => output
}
