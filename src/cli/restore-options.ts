/** The options of `grantd restore` and `grantd epoch`. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { WhatEnds } from '../core/restore/restore-counts.js'
import { readRevocationLog } from '../core/restore/revocation-log.js'

/** A backup takes some time, and the clocks of whoever takes it and of the instances differ. */
const SINCE_SLACK_MS = 60_000

export interface RestoreOptions {
  'revoked-from'?: string | undefined
  since?: string | undefined
  before?: string | undefined
  'keep-api-keys'?: boolean | undefined
  'api-keys'?: boolean | undefined
  json?: boolean | undefined
}

/** What is to end. Rejects with an Error whose message is meant for the operator. */
export async function readWhatEnds(options: RestoreOptions): Promise<WhatEnds> {
  const { 'revoked-from': file, since, 'keep-api-keys': keepsApiKeys = false } = options
  if (file === undefined && since === undefined) return { kind: 'everything', keepsApiKeys }
  if (file === undefined || since === undefined) {
    throw new Error(
      '--revoked-from FILE and --since TIME belong together: the lines of an audit log, and when the backup was taken'
    )
  }
  const sinceMs = readTime('--since', since)
  const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  const taken = await readRevocationLog(lines, sinceMs - SINCE_SLACK_MS)
  if (taken.firstAtMs === undefined) throw new Error(`--revoked-from: ${file} has no line of an audit log`)
  if (taken.firstAtMs > sinceMs) {
    const first = new Date(taken.firstAtMs).toISOString()
    throw new Error(
      `--revoked-from: ${file} begins at ${first}, after the backup: what was revoked in between is not in it`
    )
  }
  return { kind: 'since-backup', taken, sinceMs }
}

export function readTime(option: string, text: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms) || !/^\d{4}-\d\d-\d\dT/.test(text))
    throw new Error(`${option}: expected a time such as 2026-03-04T05:06:07Z`)
  return ms
}
