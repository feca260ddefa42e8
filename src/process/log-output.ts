/**
 * The standard output as the place of the log, where that is a pipe or a socket. Its reader may stop reading, and then lines wait
 * in memory up to a bound; further ones are dropped and counted. Neither pino nor process.stdout would do: they write in a way
 * that blocks the whole process.
 */
import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'

const STANDARD_OUTPUT = 1
/** Enough for a burst of some thousands of lines, of which a reader has read none yet. */
const MOST_WAITING_BYTES = 1024 * 1024

export interface LogOutput {
  write(line: string): void
  /** The number of lines that were dropped since the start. */
  dropped(): number
}

/**
 * Opens the output. `recovered` is told how many lines are missing, once the reader has read on. Undefined for files, which are
 * always ready, and for terminals.
 */
export function openLogOutput(recovered: (dropped: number) => void): LogOutput | undefined {
  const kind = fstatSync(STANDARD_OUTPUT)
  if (!kind.isFIFO() && !kind.isSocket()) return undefined
  // A socket of Node.js writes at once if the pipe has room, and never blocks.
  const pipe = new Socket({ fd: STANDARD_OUTPUT, readable: false, writable: true })
  let dropped = 0
  let reported = 0
  pipe.on('drain', () => {
    const missing = dropped - reported
    reported = dropped
    if (missing > 0) recovered(missing)
  })
  // The reader is gone for good (EPIPE). The service goes on without a log, and the metrics tell of it.
  pipe.on('error', () => pipe.destroy())

  return {
    write(line) {
      if (pipe.destroyed || pipe.writableLength >= MOST_WAITING_BYTES) dropped += 1
      else pipe.write(line)
    },
    dropped: () => dropped
  }
}
