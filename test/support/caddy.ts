/** Caddy, as found on PATH, with the deployed configuration; only addresses, ports and certificates are replaced. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replaceIn, startProxy, type Torn } from './proxy-process.js'
import { inRoot, serverEnv } from './root.js'
import { type Tls, writeTls } from './tls.js'

export const CADDYFILE = inRoot('deploy/Caddyfile')

/**
 * Starts Caddy on a port with these upstreams, for IPv4 and IPv6, and on another with TLS. Returns what it has logged so far. The
 * test stops it.
 */
export async function startCaddy(
  t: Torn,
  port: number,
  upstreams: readonly number[],
  tls?: Tls
): Promise<() => string> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-caddy-'))
  let text = await readFile(CADDYFILE, 'utf8')
  const change = (pattern: RegExp, by: string) => {
    text = replaceIn(text, pattern, by)
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
  return startProxy(t, { command: 'caddy', args, directory, env, port })
}
