/** Programs that a test file starts never outlive it, also where it ends without its teardowns: an error that nobody caught ends it at once. */
import type { ChildProcess } from 'node:child_process'

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Returns the child, which is killed with this process unless it has ended. */
export function killedAtExit<T extends ChildProcess>(child: T): T {
  running.add(child)
  return child.once('exit', () => running.delete(child))
}
