import t from 'tap'
import { startApp } from '../support/app.js'
import { startIdentityProvider } from '../support/identity-provider.js'
import { startPlainProvider } from '../support/plain-provider.js'
import { connectAt, providersFile, signInAt } from '../support/sign-in.js'

t.test('x', async (t) => {
  const publicUrl = 'http://localhost:3999'
  const acme = await startIdentityProvider(t, { publicUrl })
  const hub = await startPlainProvider(t, { publicUrl })
  const { app } = await startApp(t, { PUBLIC_URL: publicUrl, SIGNING_ALG: 'EdDSA', PROVIDERS_FILE: providersFile(t, [acme.entry(), hub.entry()]) })
  const o = await signInAt(app, 'acme', 'ann')
  console.error(o)
  console.error(await connectAt(app, 'hub', 'ann', (o as any).session.userId))
  console.error(await app.accounts.list((o as any).session.userId))
  console.error(acme.requests, hub.requests)
})
