/** Describes the machine of a run, without which absolute figures mean nothing. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

export function redisVersion(): string {
  return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown'
}

export function describeMachine(): Record<string, string> {
  return {
    cores: `${cpus().length}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    linux: release(),
    node: process.version,
    redis: redisVersion(),
    ...versions(),
    // The load average shows what else was running. If it is high, the run should be repeated.
    'load before': loadavg()[0]?.toFixed(2) ?? ''
  }
}

/** Returns the versions of the measured software: fastify and ioredis of the service, then the peers, if they are installed. */
function versions(): Record<string, string> {
  const root = ['fastify', 'ioredis']
  const peers = ['oidc-provider', 'better-auth', 'better-sqlite3']
  const versionOf = (folder: string, name: string): [string, string][] => {
    const manifest = new URL(`${folder}/node_modules/${name}/package.json`, import.meta.url)
    return existsSync(manifest) ? [[name, JSON.parse(readFileSync(manifest, 'utf8')).version]] : []
  }
  return Object.fromEntries([
    ...root.flatMap((name) => versionOf('../..', name)),
    ...peers.flatMap((name) => versionOf('..', name))
  ])
}
