/** 405 for every method a documented path does not have (RFC 9110 §15.5.6), instead of a 404 that denies the path. */
import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify'
import { fault } from '../core/fault.js'

/** All that the framework routes. To any other method no path is known. */
const METHODS: readonly HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'TRACE']

interface Documented {
  readonly method: string
  readonly url: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on what answers in place of an operation that does not exist. */
    refusesMethod?: boolean
  }
}

/** `only` has the constraints that the documented routes have, and what else is known of them. */
export function refuseOtherMethods(
  app: FastifyInstance,
  documented: readonly Documented[],
  only: Pick<RouteOptions, 'constraints' | 'config'> = {}
): void {
  for (const url of new Set(documented.map((operation) => operation.url))) {
    const allowed = documented.filter((operation) => operation.url === url).map(({ method }) => method)
    const allow = [...allowed, ...(allowed.includes('GET') ? ['HEAD'] : [])].join(', ')
    app.route({
      ...only,
      method: METHODS.filter((method) => !allowed.includes(method)),
      url,
      config: { ...only.config, refusesMethod: true },
      // A hook runs before the body is read, which no body could make right.
      onRequest: async (_request, reply) => {
        reply.header('allow', allow)
        throw fault('method_not_allowed')
      },
      handler: async () => {}
    })
  }
}

/** Collects the routes that are added from now on, as their urls are without the prefix. */
export function routesOf(app: FastifyInstance): () => Documented[] {
  const routes: Documented[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    if (method !== 'HEAD' && !config?.refusesMethod)
      routes.push({ method: String(method), url: url.slice(app.prefix.length) || '/' })
  })
  return () => [...routes]
}
