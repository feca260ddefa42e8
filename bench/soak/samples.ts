/** Takes the samples of a soak every few seconds: memory, keys, subscriptions, connections, held polls. */
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Service } from '../../test/support/service.js'

export interface InstanceSample {
  /** Tells an instance from the one that was there before it was restarted. */
  pid: number
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

export async function takeSample(
  atSeconds: number,
  services: readonly Service[],
  nodes: readonly RedisServer[]
): Promise<Sample> {
  const [instances, ofNodes] = await Promise.all([
    Promise.all(services.map(lookInto)),
    Promise.all(nodes.map(lookIntoRedis))
  ])
  const redis = { memoryBytes: 0, keys: 0, clients: 0, channels: 0, subscribers: 0 }
  for (const node of ofNodes) for (const name of Object.keys(redis) as (keyof typeof redis)[]) redis[name] += node[name]
  return { atSeconds, instances, redis }
}

async function lookInto({ url, process: { pid = 0 } }: Service): Promise<InstanceSample> {
  const metrics = await textOf(`${url}/metrics`)
  const read = (name: string) => {
    const value = Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1])
    if (Number.isNaN(value)) throw new Error(`/metrics does not tell ${name}`)
    return value
  }
  return {
    pid,
    rssBytes: read('process_resident_memory_bytes'),
    heapBytes: read('nodejs_heap_size_used_bytes'),
    heldPolls: read('grantd_held_polls'),
    openFiles: read('process_open_fds'),
    resources: read('nodejs_active_resources_total')
  }
}

/** Over a connection of its own that ends with the answer, so that what looks at open files leaves none behind. */
const textOf = (url: string) =>
  new Promise<string>((resolve, reject) => {
    const asked = get(url, { agent: false }, (answer: IncomingMessage) => text(answer).then(resolve, reject))
    asked.on('error', reject)
  })

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
