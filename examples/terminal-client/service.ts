/** The service that the demo uses: the one that answers at GRANTD_URL, or else one that the demo starts (own-service.ts). */
import { setTimeout as sleep } from 'node:timers/promises'
import { isOnThisMachine, written } from './address.js'
import { startService } from './own-service.js'

const PROBE_WITHIN_MS = 5_000

export interface Service {
  address: URL
  isOwn: boolean
  stop(): Promise<void>
}

/** Returns the first of the addresses at which an HTTP server answers. */
export async function locate(addresses: readonly URL[], signal: AbortSignal): Promise<URL | undefined> {
  for (const address of addresses) if (await isAnswered(address, signal)) return address
  return undefined
}

/** Finds the service, or starts one and waits until it answers. `onLost` is called if a started one ends by itself. */
export async function findService(
  addresses: readonly [URL, ...URL[]],
  signal: AbortSignal,
  onLost: (error: Error) => void
): Promise<Service> {
  const found = await locate(addresses, signal)
  if (found) return { address: found, isOwn: false, stop: async () => {} }
  const [address] = addresses
  if (!isOnThisMachine(address) || address.pathname !== '/') throw nobodyAt(address)

  const service = startService(address, onLost)
  try {
    // There is no time limit, because a busy machine may be slow. A service that cannot start ends, which calls
    // `onLost`.
    while (!(await isAnswered(address, signal))) {
      await sleep(50, undefined, { signal })
    }
    return { address, isOwn: true, stop: service.stop }
  } catch (error) {
    await service.stop()
    throw error
  }
}

export const nobodyAt = (address: URL) => new Error(`nobody answers at ${written(address)}`)

/** Whether an HTTP server answers at the address. Any status counts, for a proxy may hide the health check. */
async function isAnswered(address: URL, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await fetch(new URL('healthz', address), {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_WITHIN_MS)])
    })
    await answer.body?.cancel()
    return true
  } catch (error) {
    signal.throwIfAborted()
    const cause = error instanceof Error ? (error.cause ?? error) : error
    if (cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED') return false
    throw new Error(`${written(address)} is out of reach: ${cause instanceof Error ? cause.message : cause}`)
  }
}
