/** Reads OAUTH_CLIENTS_FILE, or lists its faults. Its format is described in schemas/clients-file.ts. */
import { type ClientEntry, ClientsFile } from '../../schemas/clients-file.js'
import { type Client, CODE_GRANT, DEVICE_CODE_GRANT, type GrantType, isBuiltIn, tagOf } from '../core/clients/client.js'
import { isRedirectUri } from '../core/clients/redirect-uri.js'
import { type Resource, resourcesOf } from '../core/clients/resource.js'
import { isWithin, readScope } from '../core/clients/scope.js'
import { overrideFaults } from './built-in-overrides.js'
import { type LegibleFile, legibleFile } from './legible-entries.js'
import { MOST_FAULTS, readJsonFile } from './named-files.js'
import { resourceFaults, toResource } from './resource-entries.js'

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400

export interface ClientsFileContent {
  clients: Client[]
  /** The entries that change a built-in client (built-in-overrides.ts). */
  overrides: ClientEntry[]
  resources: Resource[]
  /** One line each: the place, and what was expected there. Never the value, which could be a misplaced secret. */
  faults: string[]
}

/** `issuer` is the URL of this service, which no resource may have. */
export function readClientsFile(path: string | undefined, issuer: string): ClientsFileContent {
  const none = { clients: [], overrides: [], resources: [] }
  if (path === undefined) return { ...none, faults: [] }
  const found = readJsonFile(path, ClientsFile)
  if (found.faults) {
    const legible = legibleFile(found)
    const others = legible ? faultsOf(legible.file, issuer, legible.isWellFormed) : []
    return { ...none, faults: [...found.faults, ...others].slice(0, MOST_FAULTS) }
  }

  const { content } = found
  const { clients = [], resources: entries = [] } = content
  const isEmpty = content.clients === undefined && content.resources === undefined
  const faults = isEmpty ? ['clients: is missing'] : faultsOf(content, issuer)
  const resources = entries.map(toResource)
  return {
    clients: clients.filter((entry) => !entry.built_in).map((entry) => toClient(entry, resources)),
    overrides: clients.filter((entry) => entry.built_in),
    resources,
    faults: faults.slice(0, MOST_FAULTS)
  }
}

/** What is wrong with the entries beside their shape, of those that are well-formed. */
function faultsOf(file: ClientsFile, issuer: string, isWellFormed: LegibleFile['isWellFormed'] = () => true): string[] {
  const { clients = [], resources = [] } = file
  const faultsOfClient = (entry: ClientEntry, i: number) =>
    (entry.built_in ? overrideFaults : clientFaults)(entry, i, file)
  return [
    ...clients.flatMap((entry, i) => (isWellFormed('clients', i) ? [...faultsOfClient(entry, i)] : [])),
    ...resources.flatMap((entry, i) =>
      isWellFormed('resources', i) ? [...resourceFaults(entry, i, file, issuer)] : []
    )
  ]
}

function* clientFaults(entry: ClientEntry, index: number, file: ClientsFile): Generator<string> {
  const { clients: all = [], resources: known = [] } = file
  const place = `clients[${index}]`
  const { client_id: id, scope = '', resources = [], redirect_uris: redirects = [] } = entry
  const grants = grantTypesOf(entry)
  if (isBuiltIn(id))
    yield `${place}.client_id: is the name of a built-in client, say "built_in": true to change that one`
  else if (all.findIndex((other) => other.client_id === id) !== index) yield `${place}.client_id: is there twice`
  else if (all.findIndex((other) => tagOf(other.client_id) === tagOf(id)) !== index) {
    yield `${place}.client_id: cannot be told from another one by its digest, choose another`
  }
  if (entry.off !== undefined) yield `${place}.off: is for built-in clients, leave this one out instead`
  if (scope.split(' ').includes('offline_access') && !grants.includes('refresh_token')) {
    yield `${place}.scope: offline_access needs refresh_token among grant_types`
  }
  if (grants.includes('refresh_token') && grants.length === 1) {
    yield `${place}.grant_types: refresh_token needs ${DEVICE_CODE_GRANT} or ${CODE_GRANT}, there is nothing else to refresh`
  }
  if (grants.includes(CODE_GRANT) !== redirects.length > 0) {
    yield `${place}.redirect_uris: go with ${CODE_GRANT} among grant_types, and it with them`
  }
  for (const [i, uri] of redirects.entries()) {
    if (!isRedirectUri(uri))
      yield `${place}.redirect_uris[${i}]: expected an https URI, http on loopback, or a scheme such as com.example.app:/`
  }
  if (grants.length === 0 && !entry.client_secret_digests) {
    yield `${place}.grant_types: without any, the client can only introspect, and needs client_secret_digests for that`
  }
  const ofResources = known.filter(({ identifier }) => resources.includes(identifier)).map((one) => one.scope)
  for (const name of ['optional_scope', 'device_scope'] as const) {
    if (!isWithin(wordsOf(entry[name]), [scope, ...ofResources].flatMap(wordsOf)))
      yield `${place}.${name}: has a scope that is neither the client's nor of a resource of its own`
  }
  if (entry.device_scope !== undefined && !grants.includes(DEVICE_CODE_GRANT)) {
    yield `${place}.device_scope: needs ${DEVICE_CODE_GRANT} among grant_types`
  }
  if (accessTokenTtlOf(entry) > authorizationTtlOf(entry)) {
    yield `${place}.access_token_ttl_seconds: is longer than authorization_ttl_seconds`
  }
  for (const [i, identifier] of resources.entries()) {
    if (known.every((other) => other.identifier !== identifier))
      yield `${place}.resources[${i}]: is not the identifier of one of the resources`
  }
  if (resources.length > 0 && grants.length === 0) yield `${place}.resources: need a grant type to ask for them with`
}

/** Both that need no redirect URI, and the one that does where there are some. */
function grantTypesOf({ grant_types: named, redirect_uris: redirects = [] }: ClientEntry): readonly GrantType[] {
  return named ?? [...(redirects.length > 0 ? ([CODE_GRANT] as const) : []), DEVICE_CODE_GRANT, 'refresh_token']
}

const wordsOf = (scope: string | undefined) => readScope(scope) ?? []
const authorizationTtlOf = (entry: ClientEntry) => entry.authorization_ttl_seconds ?? 30 * DAY_SECONDS
const accessTokenTtlOf = (entry: ClientEntry) => entry.access_token_ttl_seconds ?? HOUR_SECONDS

function toClient(entry: ClientEntry, resources: readonly Resource[]): Client {
  return {
    id: entry.client_id,
    name: entry.client_name,
    type: entry.client_type ?? 'other',
    secretDigests: entry.client_secret_digests ?? [],
    grantTypes: grantTypesOf(entry),
    redirectUris: entry.redirect_uris ?? [],
    scopes: wordsOf(entry.scope),
    optionalScopes: wordsOf(entry.optional_scope),
    deviceScopes: entry.device_scope === undefined ? undefined : wordsOf(entry.device_scope),
    resources: resourcesOf(resources, entry.resources),
    accessTokenTtlSeconds: accessTokenTtlOf(entry),
    authorizationTtlSeconds: authorizationTtlOf(entry),
    tag: tagOf(entry.client_id)
  }
}
