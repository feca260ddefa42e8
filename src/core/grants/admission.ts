/**
 * Whether a grant may be asked about and approved, by the rules of the operator (core/rules). Every question and every approval goes
 * through here, of a device and of a code; a denial never does.
 */
import type { Origin } from '../audit/event.js'
import { type Judgement, judge, UNRULED } from '../rules/judgement.js'
import type { Rule } from '../rules/rule.js'
import { flowOf, type GrantRequest, type Location } from './grant.js'

/** Who looks at a question or answers it. */
export interface Answerer extends Origin {
  userId: string
  ip: string
  place?: Location | undefined
  /** When they last proved who they are; undefined if that is not known. */
  provedAtMs?: number | undefined
}

/** What a rule may look at of a request. */
export type Ruled = Pick<GrantRequest, 'clientId' | 'clientType' | 'redirectUri' | 'ip' | 'location' | 'hasNoUserAgent'>

export interface Admission {
  judge(request: Ruled, startedAtMs: number, by: Answerer): Judgement
  /** What the rule of this name has to say, if it is there and says something. */
  sayOf(name: string | undefined): { say?: string }
}

export interface AdmissionParts {
  rules: readonly Rule[]
  /** What counts as one network; undefined for an address that says nothing of where people are. */
  networkOf: (ip: string) => string | undefined
}

export function createAdmission({ rules, networkOf }: AdmissionParts): Admission {
  return {
    judge(request, startedAtMs, by) {
      if (rules.length === 0) return UNRULED
      const circumstances = {
        ...{ clientId: request.clientId, clientType: request.clientType, flow: flowOf(request) },
        countries: [request.location?.country, by.place?.country],
        networks: [networkOf(request.ip), networkOf(by.ip)],
        isUserAgentMissing: request.hasNoUserAgent === true
      } as const
      // A session JWT counts in seconds, so that the second of the start is not before it.
      const startedSecondMs = Math.floor(startedAtMs / 1000) * 1000
      return judge(rules, circumstances, by.provedAtMs !== undefined && by.provedAtMs >= startedSecondMs)
    },

    sayOf(name) {
      const say = rules.find((rule) => rule.name === name)?.say
      return say === undefined ? {} : { say }
    }
  }
}
