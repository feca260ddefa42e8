/** The entries of OAUTH_CLIENTS_FILE that change a built-in client (`"built_in": true`), which clients-file.ts reads with the others. */
import type { ClientEntry, ClientsFile } from '../../schemas/clients-file.js'
import { BUILT_IN_SCOPES, type Client, DEVICE_CODE_GRANT, GRANT_TYPES, isBuiltIn } from '../core/clients/client.js'
import { isWithin, readScope } from '../core/clients/scope.js'

const MAY_CHANGE: readonly (keyof ClientEntry)[] = [
  ...(['client_id', 'built_in', 'off', 'grant_types', 'scope', 'optional_scope', 'device_scope'] as const),
  ...(['access_token_ttl_seconds', 'authorization_ttl_seconds'] as const)
]

/** What is wrong with an override, beside its shape. */
export function* overrideFaults(
  entry: ClientEntry,
  index: number,
  { clients = [], resources = [] }: ClientsFile
): Generator<string> {
  const place = `clients[${index}]`
  const { client_id: id, grant_types: grants, scope, access_token_ttl_seconds: access } = entry
  if (!isBuiltIn(id)) yield `${place}.client_id: is not the name of a built-in client, built_in is for those`
  if (clients.findIndex((other) => other.client_id === id) !== index) yield `${place}.client_id: is there twice`
  for (const name of Object.keys(entry) as (keyof ClientEntry)[]) {
    if (!MAY_CHANGE.includes(name)) yield `${place}.${name}: cannot be changed of a built-in client`
    else if (entry.off && !['client_id', 'built_in', 'off'].includes(name)) {
      yield `${place}.${name}: has no meaning beside off`
    }
  }
  if (grants?.length === 0) yield `${place}.grant_types: is empty, say "off": true instead`
  if (grants?.length === 1 && grants[0] === 'refresh_token') {
    yield `${place}.grant_types: there is nothing else to refresh`
  }
  if (scope?.split(' ').includes('offline_access') && grants && !grants.includes('refresh_token')) {
    yield `${place}.scope: offline_access needs refresh_token among grant_types`
  }
  if (entry.device_scope !== undefined && grants && !grants.includes(DEVICE_CODE_GRANT)) {
    yield `${place}.device_scope: needs ${DEVICE_CODE_GRANT} among grant_types`
  }
  if (access !== undefined && access > (entry.authorization_ttl_seconds ?? access)) {
    yield `${place}.access_token_ttl_seconds: is longer than authorization_ttl_seconds`
  }
  const ofResources = resources.filter((one) => one.built_in_clients).flatMap((one) => readScope(one.scope) ?? [])
  const allowed = [...(scope === undefined ? BUILT_IN_SCOPES : (readScope(scope) ?? [])), ...ofResources]
  for (const name of ['optional_scope', 'device_scope'] as const) {
    if (!isWithin(readScope(entry[name]) ?? [], allowed))
      yield `${place}.${name}: has a scope that is neither the client's nor of a resource for built-in clients`
  }
}

/** A built-in client as the operator changes it; as it is without an entry of its own. */
export function overridden(client: Client, entries: readonly ClientEntry[]): Client {
  const entry = entries.find((one) => one.client_id === client.id)
  if (!entry) return client
  const { grant_types: grantTypes = GRANT_TYPES, authorization_ttl_seconds: ttl = client.authorizationTtlSeconds } =
    entry
  const scopes = entry.scope === undefined ? client.scopes : (readScope(entry.scope) ?? [])
  return {
    ...client,
    grantTypes,
    // What nobody could refresh with is not asked for.
    scopes: scopes.filter((scope) => scope !== 'offline_access' || grantTypes.includes('refresh_token')),
    optionalScopes: readScope(entry.optional_scope) ?? [],
    deviceScopes: entry.device_scope === undefined ? undefined : readScope(entry.device_scope),
    accessTokenTtlSeconds: Math.min(entry.access_token_ttl_seconds ?? ttl, ttl),
    authorizationTtlSeconds: ttl
  }
}

/** Whether the operator has switched a built-in client off. */
export const isOff = ({ id }: Pick<Client, 'id'>, entries: readonly ClientEntry[]): boolean =>
  entries.some((entry) => entry.client_id === id && entry.off === true)
