/** app.signIn: how people sign in on the pages and connect accounts. */
import fp from 'fastify-plugin'
import { createSignIn, type SignIn } from '../src/core/users/sign-in.js'

declare module 'fastify' {
  interface FastifyInstance {
    signIn: SignIn
  }
}

export const signIn = fp(
  async (app) => {
    const { providerClients: clients, identities, accounts, profiles, browserSessions: sessions } = app
    app.decorate('signIn', createSignIn({ clients, identities, accounts, profiles, sessions }))
  },
  { name: 'sign-in', dependencies: ['provider-clients', 'identities', 'accounts', 'profiles', 'browser-sessions'] }
)
