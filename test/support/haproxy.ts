/** HAProxy, as found on PATH, with the deployed configuration, or that of the example; only addresses and port are replaced. */

import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replaceIn, startProxy, type Torn } from './proxy-process.js'
import { inRoot, serverEnv } from './root.js'
import { type Tls, writeTls } from './tls.js'

export const HAPROXY_CFG = inRoot('deploy/haproxy.cfg')

/**
 * Starts HAProxy on a port with these upstreams, for IPv4 and IPv6, and on another with TLS. Returns what it has logged so far. The
 * test stops it.
 */
export async function startHaproxy(
  t: Torn,
  port: number,
  upstreams: readonly number[],
  tls?: Tls
): Promise<() => string> {
  let text = replaceIn(
    await readFile(HAPROXY_CFG, 'utf8'),
    /\bbind :8080\s+bind \[::\]:8080 v6only$/m,
    `bind 127.0.0.1:${port},[::1]:${port}`
  )
  upstreams.forEach((upstream, i) => {
    text = replaceIn(text, new RegExp(` grantd-${i + 1}:3333\\b`, 'gm'), ` 127.0.0.1:${upstream}`)
  })
  return start(t, port, async (directory) => {
    if (!tls) return text
    const { both } = await writeTls(directory, tls)
    const bind = `bind 127.0.0.1:${tls.port},[::1]:${tls.port} ssl crt ${both} `
    return replaceIn(text, /# TLS: bind :8443 ssl crt \S+ /, bind)
  })
}

/** Starts examples/haproxy in front of an API. */
export async function startExampleHaproxy(t: Torn, port: number, grantd: number, api: number): Promise<() => string> {
  const example = inRoot('examples/haproxy')
  let text = replaceIn(await readFile(join(example, 'haproxy.cfg'), 'utf8'), /\bbind :8082$/m, `bind 127.0.0.1:${port}`)
  text = replaceIn(text, / 127\.0\.0\.1:4000$/m, ` 127.0.0.1:${api}`)
  const copied = async (directory: string) => {
    await cp(join(example, 'check.lua'), join(directory, 'check.lua'))
    return text
  }
  return start(t, port, copied, { GRANTD_URL: `http://127.0.0.1:${grantd}` })
}

async function start(
  t: Torn,
  port: number,
  cfgIn: (directory: string) => string | Promise<string>,
  env: Record<string, string> = {}
): Promise<() => string> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-haproxy-'))
  const cfg = join(directory, 'haproxy.cfg')
  await writeFile(cfg, await cfgIn(directory))
  const args = ['-W', '-db', '-f', cfg]
  return startProxy(t, { command: 'haproxy', args, directory, env: { ...serverEnv(), ...env }, port })
}
