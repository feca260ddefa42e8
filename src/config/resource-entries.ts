/** The resources of OAUTH_CLIENTS_FILE (RFC 8707), which clients-file.ts reads with its clients. */
import type { ClientsFile, ResourceEntry } from '../../schemas/clients-file.js'
import { BUILT_IN_SCOPES } from '../core/clients/client.js'
import type { Resource } from '../core/clients/resource.js'
import { readScope } from '../core/clients/scope.js'
import { isSafeUrl } from './faults.js'

/** What is wrong with a resource, beside its shape. `issuer` is the URL of this service, which no resource may have. */
export function* resourceFaults(
  { identifier, scope = '', ...entry }: ResourceEntry,
  index: number,
  { clients = [], resources = [] }: ClientsFile,
  issuer: string
): Generator<string> {
  const place = `resources[${index}]`
  if (!isSafeUrl(identifier))
    yield `${place}.identifier: expected an https URI, or http on loopback, without credentials`
  else if (isSameUrl(identifier, issuer)) yield `${place}.identifier: is the URL of this service, which is no resource`
  if (resources.findIndex((other) => other.identifier === identifier) !== index) {
    yield `${place}.identifier: is there twice`
  }
  if (scope.split(' ').some((word) => BUILT_IN_SCOPES.includes(word))) {
    yield `${place}.scope: ${BUILT_IN_SCOPES.join(', ')} concern this service, and are in no token for a resource`
  }
  if (!entry.default) return
  if (resources.findIndex((other) => other.default) !== index)
    yield `${place}.default: another one is the default already`
  const isAskedFor = entry.built_in_clients || clients.some((client) => client.resources?.includes(identifier))
  if (!isAskedFor) yield `${place}.default: no client may ask for it, and so none would get it`
}

/** Whether two URLs lead to the same place, however they are written. */
function isSameUrl(a: string, b: string): boolean {
  const [one, other] = [a, b].map((text) => new URL(text).href.replace(/\/+$/, ''))
  return one === other
}

export function toResource(entry: ResourceEntry): Resource {
  return {
    identifier: entry.identifier,
    name: entry.name,
    scopes: readScope(entry.scope) ?? [],
    accessTokenTtlSeconds: entry.access_token_ttl_seconds,
    isForBuiltInClients: entry.built_in_clients ?? false,
    isDefault: entry.default ?? false
  }
}
