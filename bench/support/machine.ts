/** Describes the machine of a run, without which absolute figures mean nothing. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
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
    // The load average shows what else was running. If it is high, the run should be repeated.
    'load before': loadavg()[0]?.toFixed(2) ?? ''
  }
}

/** Returns the versions of the measured software: fastify and ioredis of the service, then the peers where they are installed. */
function versions(): Record<string, string> {
  const root = ['fastify', 'ioredis']
  const peers = ['oidc-provider', 'better-auth', 'better-sqlite3']
  const manifestOf = (folder: string, name: string) =>
    new URL(`${folder}/node_modules/${name}/package.json`, import.meta.url)
  const manifests = [
    ...root.map((name) => [name, manifestOf('../..', name)] as const),
    ...peers.map((name) => [name, manifestOf('..', name)] as const)
  ].filter(([, manifest]) => existsSync(manifest))
  return Object.fromEntries(manifests.map(([name, file]) => [name, JSON.parse(readFileSync(file, 'utf8')).version]))
}
