/** Takes the samples of a soak every few seconds: memory, keys, subscriptions, connections, held polls. */
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Service } from '../../test/support/service.js'

export interface InstanceSample {
  rssBytes: number
  heapBytes: number
  heldPolls: number
  openFiles: number
  /** The active resources of Node.js, such as sockets and timers. */
  resources: number
}

export interface Sample {
  atSeconds: number
  instances: InstanceSample[]
  redis: { memoryBytes: number; keys: number; clients: number; channels: number; subscribers: number }
}

export async function takeSample(atSeconds: number, services: readonly Service[], redis: RedisServer): Promise<Sample> {
  const [instances, ofRedis] = await Promise.all([Promise.all(services.map(lookInto)), lookIntoRedis(redis)])
  return { atSeconds, instances, redis: ofRedis }
}

async function lookInto({ url }: Service): Promise<InstanceSample> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const read = (name: string) => {
    const value = Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    if (Number.isNaN(value)) throw new Error(`/metrics does not tell ${name}`)
    return value
  }
  return {
    rssBytes: read('process_resident_memory_bytes'),
    heapBytes: read('nodejs_heap_size_used_bytes'),
    heldPolls: read('grantd_held_polls'),
    openFiles: read('process_open_fds'),
    resources: read('nodejs_active_resources_total')
  }
}

async function lookIntoRedis({ client }: RedisServer) {
  const [info, keys, channels] = await Promise.all([
    client.info(),
    client.dbsize(),
    client.call('PUBSUB', 'SHARDCHANNELS') as Promise<string[]>
  ])
  const counted = channels.length > 0 ? await client.call('PUBSUB', 'SHARDNUMSUB', ...channels) : []
  const subscribers = (counted as (string | number)[]).filter((_, i) => i % 2 === 1)
  const read = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  return {
    memoryBytes: read('used_memory'),
    keys,
    clients: read('connected_clients'),
    channels: channels.length,
    subscribers: subscribers.reduce<number>((sum, count) => sum + Number(count), 0)
  }
}
