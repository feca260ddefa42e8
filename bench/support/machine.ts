/** What the figures were measured on. Absolute ones mean nothing without it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

export function describeMachine(): Record<string, string> {
  const redis = execFileSync('redis-server', ['--version'], { encoding: 'utf8' })
  return {
    cores: `${cpus().length}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    linux: release(),
    node: process.version,
    redis: /v=(\S+)/.exec(redis)?.[1] ?? 'unknown',
    ...versions(),
    // What else was running: with more than a little, run it again.
    'load before': loadavg()[0]?.toFixed(2) ?? ''
  }
}

/** Of what answers the requests: the service stands on the first two, the rest are its peers. */
function versions(): Record<string, string> {
  const root = ['fastify', 'ioredis']
  const peers = ['oidc-provider', 'better-auth', 'better-sqlite3']
  const versionOf = (folder: string, name: string): string =>
    JSON.parse(readFileSync(new URL(`${folder}/node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
  return Object.fromEntries([
    ...root.map((name) => [name, versionOf('../..', name)]),
    ...peers.map((name) => [name, versionOf('..', name)])
  ])
}
