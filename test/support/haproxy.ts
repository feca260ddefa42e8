/** Debian's HAProxy with the deployed configuration; only addresses and port are replaced. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { takesConnections } from './nginx.js'
import { inRoot } from './root.js'
import { until } from './until.js'

const HAPROXY = '/usr/sbin/haproxy'
export const HAPROXY_CFG = inRoot('deploy/haproxy.cfg')

/** Starts HAProxy on a port with these upstreams, for IPv4 and IPv6. Returns what it has logged so far. The test stops it. */
export async function startHaproxy(
  t: { teardown(handler: () => unknown): void },
  port: number,
  upstreams: readonly number[]
): Promise<() => string> {
  const directory = await mkdtemp(join(tmpdir(), 'grantd-haproxy-'))
  const cfg = join(directory, 'haproxy.cfg')
  let text = replace(
    await readFile(HAPROXY_CFG, 'utf8'),
    /\bbind :8080\s+bind \[::\]:8080 v6only$/m,
    `bind 127.0.0.1:${port},[::1]:${port}`
  )
  upstreams.forEach((upstream, i) => {
    text = replace(text, new RegExp(` grantd-${i + 1}:3333$`, 'm'), ` 127.0.0.1:${upstream}`)
  })
  await writeFile(cfg, text)
  const child = spawn(HAPROXY, ['-W', '-db', '-f', cfg], { stdio: ['ignore', 'pipe', 'pipe'] })
  // A missing HAProxy must fail the test and not skip it.
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
    if (child.exitCode !== null) throw new Error(`HAProxy did not start:\n${output}`)
    return takesConnections(port)
  })
  return () => output
}

function replace(text: string, pattern: RegExp, by: string): string {
  const replaced = text.replace(pattern, by)
  if (replaced === text) throw new Error(`deploy/haproxy.cfg has no ${pattern}`)
  return replaced
}
