/** app.profiles: what is known of users who have signed in here. */
import fp from 'fastify-plugin'
import { createProfiles, type Profiles } from '../src/core/users/profiles.js'

declare module 'fastify' {
  interface FastifyInstance {
    profiles: Profiles
  }
}

export const profiles = fp(
  async (app) => {
    app.decorate('profiles', createProfiles({ records: app.storage.profiles, clock: app.clock }))
  },
  { name: 'profiles', dependencies: ['storage'] }
)
