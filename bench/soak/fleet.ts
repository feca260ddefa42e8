/** Two instances over one Redis, replaced one by one while the load goes on. Nothing is in front: who sends goes from one to the next. */
import { GRANTD_SECRET } from '../../test/support/app.js'
import { type Service, startService } from '../../test/support/service.js'
import { DASHBOARD_SECRET } from '../../test/support/tokens.js'
import { until } from '../../test/support/until.js'
import { createTransport, type Transport } from '../faults/transport.js'
import type { Lifetime } from '../support/lifetime.js'

export interface Fleet {
  /** The instances as they are now. */
  services: readonly Service[]
  /** What the instances are configured with now. */
  variables(): Record<string, string>
  /** Sends to the instances in turn, but for one that is about to end, as a balancer does; and to the next one what reached none. */
  send: Transport['send']
  /** Ends each instance with SIGTERM and starts another one on its port. What is handed over changes its variables for good. */
  restartOneByOne(changed?: Record<string, string>): Promise<void>
  /** Everything that the instances have written to their logs, those that were ended included. */
  said(): string
  /** Ends the connections of those who sent; whoever sends again opens others. */
  hangUp(): void
}

/** Requests that were on their way when an instance was told to end come in within this time. */
const SHUTDOWN_DELAY_SECONDS = 2

/** An instance gets no requests before it says that it is ready, nor from a balancer. */
const isReady = ({ url }: Service) => until(async () => (await fetch(`${url}/readyz`)).ok)

export async function startFleet(lifetime: Lifetime, given: Record<string, string>): Promise<Fleet> {
  let variables: Record<string, string> = {
    ...given,
    GRANTD_SECRET,
    DASHBOARD_JWT_SECRET: DASHBOARD_SECRET,
    SHUTDOWN_DELAY_SECONDS: `${SHUTDOWN_DELAY_SECONDS}`,
    LIMITS: 'off',
    LOG_LEVEL: 'warn'
  }
  const start = (more = {}) => startService({ teardown: lifetime.ends }, { ...variables, ...more })
  const services = await Promise.all([start(), start()])
  const transports = services.map(({ url }) => createTransport(url))
  lifetime.ends(hangUp)
  const leaving = new Set<number>()
  const ended: Service[] = []
  let turn = 0

  function hangUp(): void {
    for (const transport of transports) transport.close()
  }

  function next(): Transport {
    turn = (turn + 1) % transports.length
    if (leaving.has(turn)) turn = (turn + 1) % transports.length
    return transports[turn] as Transport
  }

  return {
    services,
    variables: () => variables,
    async send(what) {
      const answer = await next().send(what)
      return answer.status === 0 && answer.body.error === 'ECONNREFUSED' ? next().send(what) : answer
    },
    async restartOneByOne(changed = {}) {
      variables = { ...variables, ...changed }
      for (const [i, service] of services.entries()) {
        leaving.add(i)
        await service.stop('SIGTERM')
        ended.push(service)
        services[i] = await start({ PORT: `${service.port}` })
        await isReady(services[i] as Service)
        leaving.delete(i)
      }
    },
    said: () => [...ended, ...services].map(({ output }) => output()).join(''),
    hangUp
  }
}
