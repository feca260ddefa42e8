/** The rows of the table: how the network is broken for the first instance, and under which settings. */
import { setTimeout as sleep } from 'node:timers/promises'
import { askOthers, dependOnNames } from './name-users.js'
import type { Stack, Wanted } from './stack.js'

export interface Row {
  name: string
  /** The first cells of the row. */
  title: string
  setting: string
  wanted: Wanted
  /** Whether the setting does not promise to keep what is acknowledged: then losses are counted and no violations. */
  mayLose?: boolean
  /** Whether the network is broken for both instances alike. */
  both?: boolean
  /** Whether the two instances are apart, so that one does not see what is revoked at the other. */
  parts?: boolean
  /** Breaks the network. Resolves to the function that repairs it, which resolves to what is to be remarked. */
  strike(stack: Stack): Promise<() => Promise<string[]>>
}

/** The names of the settings that rows differ in. */
const DEFAULT = 'as it is by default'
const WAIT = { REDIS_WAIT_REPLICAS: '1' }
const WAIT_SAID = '`REDIS_WAIT_REPLICAS=1`'
const PATIENT = { REDIS_TIMEOUT_MS: '5000' }
const PATIENT_SAID = '`REDIS_TIMEOUT_MS=5000`'
/** As docs/operations.md has it. */
const MIN_REPLICAS = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '5']
const MIN_REPLICAS_SAID = '`min-replicas-to-write 1`, `min-replicas-max-lag 5`'
const SLOW_ANSWER_MS = 5_000

const healed = (network: Stack['network']) => async () => {
  network.heal()
  return []
}

function cutBothWays({ network }: Stack, one: Parameters<typeof network.cut>[0], other: typeof one) {
  network.cut(one, other)
  network.cut(other, one)
  return healed(network)
}

/** The primary and the first instance on the one side, everything else on the other. */
const halves = (name: string, setting: string, more: Partial<Row>, wanted: Partial<Wanted>): Row => ({
  name,
  setting,
  title: 'primary and one instance cut from replicas, Sentinels and the other instance',
  wanted: { shape: 'sentinel', ...wanted },
  parts: true,
  async strike(stack) {
    const { instances, redisNodes, sentinelNodes } = stack
    const [primary, ...replicas] = redisNodes
    const [here, there] = instances
    return cutBothWays(stack, primary ? [primary, here] : [], [...replicas, ...sentinelNodes, there])
  },
  ...more
})

/** The instances still reach the old primary, and everything else too. */
const alone = (name: string, setting: string, more: Partial<Row>, wanted: Partial<Wanted>): Row => ({
  name,
  setting,
  title: 'primary cut from replicas and Sentinels, not from the instances',
  wanted: { shape: 'sentinel', ...wanted },
  both: true,
  async strike(stack) {
    const [primary, ...replicas] = stack.redisNodes
    return cutBothWays(stack, primary ? [primary] : [], [...replicas, ...stack.sentinelNodes])
  },
  ...more
})

const single = (name: string, title: string, strike: Row['strike']): Row => {
  return { name, title, setting: DEFAULT, wanted: { shape: 'single' }, strike }
}

const slow = (name: string, setting: string, variables: Record<string, string>): Row => ({
  name,
  setting,
  title: '200 ms more for each round trip to Redis, and 5 % of the packets lost in either direction',
  wanted: { shape: 'slow-link', variables },
  async strike({ link }) {
    link?.become(100, 5)
    return async () => {
      link?.become(0, 0)
      return []
    }
  }
})

export const ROWS: readonly Row[] = [
  halves('halves', DEFAULT, { mayLose: true }, {}),
  halves('halves-min-replicas', MIN_REPLICAS_SAID, { mayLose: true }, { redisOptions: MIN_REPLICAS }),
  halves('halves-wait', WAIT_SAID, {}, { variables: WAIT }),
  alone('primary-alone', DEFAULT, { mayLose: true }, {}),
  alone('primary-alone-wait', WAIT_SAID, {}, { variables: WAIT }),
  single('no-redis', 'one instance cut from Redis, not from clients', async (stack) =>
    cutBothWays(stack, stack.redisNodes, [stack.instances[0]])
  ),
  single('one-way', 'packets from Redis to one instance lost, those to Redis not', async ({ network, ...stack }) => {
    network.cut(stack.redisNodes, [stack.instances[0]])
    return healed(network)
  }),
  slow('slow-link', DEFAULT, {}),
  slow('slow-link-patient', PATIENT_SAID, PATIENT),
  {
    name: 'slow-names',
    title: 'a resolver that takes 5 s, for an identity provider, documents of clients and a webhook',
    setting: DEFAULT,
    wanted: { shape: 'names', prepare: dependOnNames },
    async strike({ services, resolver }) {
      if (resolver) resolver.delayMs = SLOW_ANSWER_MS
      const end = await askOthers(services[0].url)
      return async () => {
        if (resolver) resolver.delayMs = 0
        return end()
      }
    }
  },
  {
    name: 'slow-name-of-redis',
    title: 'a resolver that takes 5 s, for the name in `REDIS_URL`, when the connections to Redis end',
    setting: DEFAULT,
    wanted: { shape: 'names' },
    async strike({ instances, resolver, redis }) {
      if (resolver) resolver.delayMs = SLOW_ANSWER_MS
      // An answer of before may still be on its way.
      await sleep(100)
      const client = redis[0]?.client
      const connections = String(await client?.client('LIST')).split('\n')
      for (const line of connections.filter((one) => one.includes(` addr=${instances[0].host}:`))) {
        await client?.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] as string)
      }
      return async () => {
        if (resolver) resolver.delayMs = 0
        return []
      }
    }
  }
]
