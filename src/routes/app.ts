/**
 * The application as routes see it, what makes a surface of routes, the path that all of them are under, and the surface that stands
 * in for the pages.
 */
import accepts from '@fastify/accepts'
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
import { answerNowhere } from './unroutable.js'

/** With the types that follow from the generated schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** The plugins whose hooks every request passes. A route sees only the hooks that were added before it. */
const PASSED_BY_ALL = ['time-limit', 'request-headers', 'answers', 'unread', 'overload']

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

/** Where nobody signs in here: a sentence at `/`, and JSON for every path that leads nowhere. */
export const withoutPages = surface('without-pages', ['config'], async (app) => {
  await app.register(accepts)
  const { publicUrl, verificationUri, showsDocs } = app.config
  const start = {
    description: 'Programs ask here for access to an account, and its owner decides in a browser.',
    verification_uri: verificationUri,
    ...(showsDocs && { documentation: `${publicUrl}/docs` }),
    openapi: `${publicUrl}/openapi.json`
  }
  const text = `grantd

${start.description}

Enter a code:   ${verificationUri}
Read the API:   ${start.documentation ?? start.openapi}
`
  app.get('/', { config: { page: true } }, async (request, reply) =>
    request.accepts().type(['json', 'html']) === 'html' ? reply.type('text/plain; charset=utf-8').send(text) : start
  )
  app.setNotFoundHandler(answerNowhere)
})
