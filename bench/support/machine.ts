/** What the figures were measured on. Absolute ones mean nothing without it. */
import { execFileSync } from 'node:child_process'
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
    // What else was running: with more than a little, run it again.
    'load before': loadavg()[0]?.toFixed(2) ?? ''
  }
}
