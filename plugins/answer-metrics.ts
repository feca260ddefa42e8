/** Counts every answer by its status, and takes the time of those that an operation of the contract gave. */
import fp from 'fastify-plugin'

export const answerMetrics = fp(
  async (app) => {
    const { metrics } = app
    app.addHook('onResponse', (_request, reply, done) => {
      metrics.countAnswer(reply.statusCode)
      done()
    })

    // A hook for each route, which knows its operation: asking a request for its route would cost more than the counting.
    app.addHook('onRoute', (route) => {
      const { operationId: operation } = (route.schema ?? {}) as { operationId?: string }
      if (operation === undefined) return
      route.onResponse = [
        ...[route.onResponse ?? []].flat(),
        (_request, reply, done) => {
          // How long a poll was held says how long its user took, and would hide how long the service did.
          if (!reply.hasHeader('preference-applied')) metrics.observeAnswer(operation, reply.elapsedTime / 1000)
          done()
        }
      ]
    })
  },
  { name: 'answer-metrics', dependencies: ['metrics'] }
)
