/**
 * What one call of an API costs by each of the ways to find out whether its token is in force: in the API's own process, or in the
 * service and its Redis.
 */

import { createVerifier } from '@grantd/verify'
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import { REPORTS, type Revocable } from '../../test/support/revocable.js'
import { compareSides } from './compare-sides.js'
import { microsOf } from './cpu-time.js'
import type { Lifetime } from './lifetime.js'
import { type SameRequest, sendSame } from './load.js'
import { median } from './report.js'

const ROUNDS = 7
const REQUESTS = 5_000
const CALLS = 2_000
const READINGS = 20
const FORM = 'application/x-www-form-urlencoded'

/** Prints a line for each way. The service has TOKEN_STATUS_LIST on, and no limits. */
export async function printWayCosts(lifetime: Lifetime, service: Revocable): Promise<void> {
  const { issuer, credentials, here, redis } = service
  const token = await service.token()
  const verifier = createVerifier({ issuer, audience: REPORTS, revocations: 'feed', credentials })
  lifetime.ends(() => verifier.close())
  await verifier.ready()
  const { idx, uri } = getStatusListFromJWT(token)
  const text = await (await fetch(uri)).text()
  const list = getListFromStatusListJWT(text)
  const own = {
    'verify(), with the feed': () => verifier.verify(token, { scope: 'reports.read' }),
    'a bit of a status list besides': async () => list.getStatus(idx),
    'reading a status list, once a minute': async () => getListFromStatusListJWT(text)
  }
  for (const [what, call] of Object.entries(own)) {
    const times = call === own['reading a status list, once a minute'] ? READINGS : CALLS
    console.log(`${what}: ${(await medianMicrosOf(call, times)).toFixed(1)} µs of the API`)
  }

  const secret = Buffer.from(`${credentials.clientId}:${credentials.clientSecret}`).toString('base64')
  const asked: Record<string, SameRequest> = {
    'GET /oauth/check': {
      ...{ url: `${here.url}/oauth/check?resource=${REPORTS}&scope=reports.read`, method: 'GET', status: 204 },
      headers: { authorization: `Bearer ${token}` }
    },
    'POST /oauth/introspect': {
      ...{ url: `${here.url}/oauth/introspect`, method: 'POST', status: 200, body: `token=${token}` },
      headers: { authorization: `Basic ${secret}`, 'content-type': FORM }
    }
  }
  const sides = Object.entries(asked).map(([name, request]) => {
    const drive = () => sendSame(lifetime, request, REQUESTS).then(() => REQUESTS)
    return { name, pid: Number(here.process.pid), redis, prepare: async () => drive }
  })
  for (const [what, { perCpuSecond, redisMicros = 0 }] of await compareSides(sides, ROUNDS)) {
    const ofService = 1e6 / perCpuSecond
    console.log(`${what}: ${ofService.toFixed(0)} µs of the service, ${redisMicros.toFixed(1)} µs of Redis`)
  }
}

/** The median of rounds, after one that warms up. */
async function medianMicrosOf(call: () => Promise<unknown>, times: number): Promise<number> {
  const rounds: number[] = []
  for (let round = -1; round < ROUNDS; round++) {
    const micros = await microsOf(call, times)
    if (round >= 0) rounds.push(micros)
  }
  return median(rounds)
}
