/** Memory of a process, as the kernel counts it. */
import { readFileSync } from 'node:fs'

/** What it holds in RAM: heap, buffers, stacks. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}
