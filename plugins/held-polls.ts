/** app.heldPolls: the polls that wait on this instance. They are answered, not cut, when it stops. */
import fp from 'fastify-plugin'
import { createHeldPolls, type HeldPolls } from '../src/core/grants/held-polls.js'

declare module 'fastify' {
  interface FastifyInstance {
    heldPolls: HeldPolls
  }
}

export const heldPolls = fp(
  async (app) => {
    const { storage, config, metrics } = app
    const polls = createHeldPolls(storage.decisions, config.heldPolls)
    app.decorate('heldPolls', polls)
    metrics.watch('grantd_held_polls', 'Polls that wait for a decision at this moment.', polls.count)
    metrics.watch('grantd_decision_feed_up', 'Whether decisions are heard as they are taken, 1 or 0.', () =>
      Number(storage.decisions.isUp())
    )
    app.addHook('preClose', async () => polls.stop())
  },
  { name: 'held-polls', dependencies: ['storage', 'metrics'] }
)
