/** How much memory this process holds. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

/** The bytes of the heap that are in use once everything is collected that can be. */
export function heapInUse(): number {
  collect()
  return process.memoryUsage().heapUsed
}
