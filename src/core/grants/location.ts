/** Comparing where a request came from with where it is looked at. */
import type { Location } from './grant.js'

/** True or false only when both countries are known: an unknown one is no reason to warn. */
export function countriesDiffer(requester: Location | undefined, approver: Location | undefined): boolean | undefined {
  if (!requester?.country || !approver?.country) return undefined
  return requester.country !== approver.country
}
