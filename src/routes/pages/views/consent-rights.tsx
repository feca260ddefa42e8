/** What an approval allows, in words. */
import type { Client } from '../../../core/clients/client.js'
import { hostOf, type Resource } from '../../../core/clients/resource.js'
import type { GrantRequest } from '../../../core/grants/grant.js'
import type { Visit } from '../visit.js'
import { span } from './format.js'

interface RightsProps {
  visit: Visit
  client: Client
  request: GrantRequest
  resources: readonly Resource[]
}

/** What an approval allows: at the service or, where resources are asked for, at each of these, with the scopes that concern it. */
export function Rights({ visit, client, request: { scopes, resources: identifiers = [] }, resources }: RightsProps) {
  const { rights } = visit.texts
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
