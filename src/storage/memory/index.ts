/** The engine for trying out: everything lives in this process and goes with it. */
import type { Clock } from '../../clock.js'
import type { Storage } from '../storage.js'
import { createMemoryGrantStore } from './grant-store.js'
import { createMemoryLimitStore } from './limit-store.js'
import { createMemoryRecordStore } from './record-store.js'
import { createMemorySigningKeyStore } from './signing-key-store.js'

export function createMemoryStorage(clock: Clock): Storage {
  return {
    engine: 'memory',
    grants: createMemoryGrantStore(clock),
    authorizedClients: createMemoryRecordStore(clock),
    signingKeys: createMemorySigningKeyStore(),
    limits: createMemoryLimitStore(clock),
    open: async () => {},
    check: async () => {},
    close: async () => {}
  }
}
