/** Counts every answer by its status, and measures the answers of operations of the contract. */
import fp from 'fastify-plugin'

export const answerMetrics = fp(
  async (app) => {
    const { metrics } = app
    app.addHook('onResponse', (_request, reply, done) => {
      metrics.countAnswer(reply.statusCode)
      done()
    })

    // Each route has a hook of its own that knows the operation: to look up the route of a request costs more than to count.
    app.addHook('onRoute', (route) => {
      const { operationId: operation } = (route.schema ?? {}) as { operationId?: string }
      if (operation === undefined) return
      route.onResponse = [
        ...[route.onResponse ?? []].flat(),
        (_request, reply, done) => {
          // A poll that was held is left out: its duration is that of the user's decision, not of the service.
          if (!reply.hasHeader('preference-applied')) metrics.observeAnswer(operation, reply.elapsedTime / 1000)
          done()
        }
      ]
    })
  },
  { name: 'answer-metrics', dependencies: ['metrics'] }
)
