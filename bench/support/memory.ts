/** Reads the memory of a process from the kernel. */
import { readFileSync } from 'node:fs'

/** Returns the resident memory: heap, buffers and stacks. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}
