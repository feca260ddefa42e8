/** What an approval allows, in words. */
import type { Client } from '../../../core/clients/client.js'
import { hostOf, type Resource } from '../../../core/clients/resource.js'
import type { GrantRequest } from '../../../core/grants/grant.js'
import type { Visit } from '../visit.js'
import { span } from './format.js'

interface RightsProps {
  visit: Visit
  client: Client
  request: Pick<GrantRequest, 'scopes' | 'resources'>
  resources: readonly Resource[]
  optional: readonly string[]
  leftOut: readonly string[]
}

/**
 * What an approval allows: at the service or, where resources are asked for, at each of these, with the scopes that concern it. What
 * the user may leave out is in the form.
 */
export function Rights({ visit, client, request, resources, optional }: RightsProps) {
  const { rights } = visit.texts
  const { resources: identifiers = [] } = request
  const scopes = request.scopes.filter((scope) => !optional.includes(scope))
  const forHowLong = span(visit, client.authorizationTtlSeconds)
  const scopesOf = (resource: Resource) => scopes.filter((scope) => resource.scopes.includes(scope))
  const others = scopes.filter((scope) => !resources.some((resource) => resource.scopes.includes(scope)))
  const item = (scope: string) => <li key={scope}>{wordsOf(scope, visit)}</li>
  return (
    <ul>
      {identifiers.length === 0 && <li>{rights.act(visit.serviceName, forHowLong)}</li>}
      {resources.map((resource) => (
        <li key={resource.identifier}>
          <bdi>{rights.act(resource.name, forHowLong)}</bdi> <code>{hostOf(resource.identifier)}</code>
          {scopesOf(resource).length > 0 && <ul>{scopesOf(resource).map(item)}</ul>}
        </li>
      ))}
      {others.map(item)}
    </ul>
  )
}

/** The boxes to untick, each with what its scope allows. A right at a resource says at which. */
export function Optional({ visit, resources, optional, leftOut }: RightsProps) {
  const placeOf = (scope: string) => resources.find((resource) => resource.scopes.includes(scope))?.name
  return (
    <fieldset class="optional">
      <legend>{visit.texts.consent.optional}</legend>
      {optional.map((scope) => (
        <label key={scope}>
          <input type="checkbox" name="scope" value={scope} checked={!leftOut.includes(scope)} />
          <span>
            {wordsOf(scope, visit)} <bdi>{placeOf(scope)}</bdi>
          </span>
        </label>
      ))}
    </fieldset>
  )
}

/** What a scope allows, in words if it is one of our own. */
function wordsOf(scope: string, { texts: { rights } }: Visit) {
  const { act: _act, other, ...own } = rights
  if (Object.hasOwn(own, scope)) return own[scope as keyof typeof own]
  return (
    <>
      {other} <code>{scope}</code>
    </>
  )
}
