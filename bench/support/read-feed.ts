/** A process of bench/verify.ts: verifiers that begin with nothing, one after another. Prints how long each took, in milliseconds. */
import { createVerifier } from '@grantd/verify'

const { ISSUER = '', CREDENTIALS = '{}', ENTRIES } = process.env
const credentials = JSON.parse(CREDENTIALS)

for (;;) {
  const startedAt = performance.now()
  await new Promise<void>((resolve) => {
    const verifier = createVerifier({
      ...{ issuer: ISSUER, audience: ISSUER, revocations: 'feed', credentials },
      onFeed: ({ state, revocations, error }) => {
        if (state !== 'live') return
        if (revocations !== Number(ENTRIES)) throw new Error(`${revocations} were read: ${error}`)
        console.log((performance.now() - startedAt).toFixed(1))
        verifier.close().then(resolve)
      }
    })
  })
}
