/**
 * The session secret of a service that the demo has started, in a file that only this user can read: a second terminal needs it
 * to sign in as the demo user. The file is deleted with the service; one left behind by a crash is ignored once its process
 * ended.
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

/** Writes the secret to its file; the returned function deletes it. Throws if others can access the directory. */
export function keepSecret(port: number, kept: KeptSecret): () => void {
  const directory = directoryOf(port)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // The temporary directory is shared, so another user may have created this directory before.
  if (!isPrivate(directory)) throw new Error(`${directory} is open to others: remove it and try again`)
  const forget = () => rmSync(directory, { recursive: true, force: true })
  rmSync(fileIn(directory), { force: true })
  writeFileSync(fileIn(directory), JSON.stringify(kept), { mode: 0o600, flag: 'wx' })
  return forget
}

/** The session secret of the service at this address: that of a service the demo started, or else DASHBOARD_JWT_SECRET. */
export function findSecret(address: URL, env: NodeJS.ProcessEnv): string | undefined {
  const kept = isOnThisMachine(address) ? readKept(portOf(address)) : undefined
  return kept && isAlive(kept.pid) ? kept.secret : env.DASHBOARD_JWT_SECRET || undefined
}

function readKept(port: number): KeptSecret | undefined {
  const directory = directoryOf(port)
  try {
    return isPrivate(directory) ? JSON.parse(readFileSync(fileIn(directory), 'utf8')) : undefined
  } catch {
    // There is no file, which is normal, or it was not written completely.
    return undefined
  }
}

function isPrivate(directory: string): boolean {
  const stats = lstatSync(directory)
  // Node.js reports neither owner nor mode on Windows, where each user has a temporary directory of their own.
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
