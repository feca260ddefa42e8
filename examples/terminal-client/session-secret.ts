/**
 * The secret of a service that the demo has started, kept where only this user can read it: a second terminal needs it
 * to sign in as the demo user. It goes with the service; a file left behind by a crash counts only while its process lives.
 */
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isOnThisMachine, portOf } from './address.js'

interface KeptSecret {
  pid: number
  secret: string
}

const directoryOf = (port: number) => join(tmpdir(), `grantd-demo-${process.getuid?.() ?? 'user'}-${port}`)
const fileIn = (directory: string) => join(directory, 'session-secret.json')

/** Writes the secret down; the answer takes it away again. */
export function keepSecret(port: number, kept: KeptSecret): () => void {
  const directory = directoryOf(port)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // The temporary directory is everybody's: somebody else may have been there first.
  if (!isPrivate(directory)) throw new Error(`${directory} is open to others: remove it and try again`)
  const forget = () => rmSync(directory, { recursive: true, force: true })
  rmSync(fileIn(directory), { force: true })
  writeFileSync(fileIn(directory), JSON.stringify(kept), { mode: 0o600, flag: 'wx' })
  return forget
}

/** The secret that sessions at this address are signed with, as far as this machine knows it. */
export function findSecret(address: URL, env: NodeJS.ProcessEnv): string | undefined {
  const kept = isOnThisMachine(address) ? readKept(portOf(address)) : undefined
  return kept && isAlive(kept.pid) ? kept.secret : env.DASHBOARD_JWT_SECRET || undefined
}

function readKept(port: number): KeptSecret | undefined {
  const directory = directoryOf(port)
  try {
    return isPrivate(directory) ? JSON.parse(readFileSync(fileIn(directory), 'utf8')) : undefined
  } catch {
    // None there, which is usual, or one that was not written to its end.
    return undefined
  }
}

function isPrivate(directory: string): boolean {
  const stats = lstatSync(directory)
  // Windows has neither owners nor modes here, but a temporary directory per user.
  if (process.getuid === undefined) return stats.isDirectory()
  return stats.isDirectory() && stats.uid === process.getuid() && (stats.mode & 0o077) === 0
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
