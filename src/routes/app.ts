/** The application as routes see it, what makes a surface of routes, and the path that all of them are under. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault
} from 'fastify'
import fp from 'fastify-plugin'

/** With the types that follow from the generated schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** The plugins whose hooks every request passes. A route sees only the hooks that were added before it. */
const PASSED_BY_ALL = ['time-limit', 'answer-headers', 'answers', 'unread', 'overload']

/** A surface: an encapsulated plugin that refuses to be loaded before the plugins it needs. */
export function surface<Options extends object = object>(
  name: string,
  needs: readonly string[],
  routes: (app: FastifyInstance, options: Options) => Promise<void>
): FastifyPluginAsync<Options> {
  return fp(routes, { name, dependencies: [...PASSED_BY_ALL, ...needs], encapsulate: true })
}

/** The path of the public URL, '' for one that has none: what every path on the wire may begin with. */
export function basePathOf(publicUrl: string): string {
  return new URL(publicUrl).pathname.replace(/\/+$/, '')
}
