/** Reads OAUTH_CLIENTS_FILE, or lists its faults. Its format is described in schemas/clients-file.ts. */
import { type ClientEntry, ClientsFile } from '../../schemas/clients-file.js'
import { type Client, DEVICE_CODE_GRANT, GRANT_TYPES, isBuiltIn, tagOf } from '../core/clients/client.js'
import { readScope } from '../core/clients/scope.js'
import { MOST_FAULTS, readJsonFile } from './named-files.js'

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400

export interface ClientsFileContent {
  clients: Client[]
  /** One line each: the place, and what was expected there. Never the value, which could be a misplaced secret. */
  faults: string[]
}

export function readClientsFile(path: string | undefined): ClientsFileContent {
  if (path === undefined) return { clients: [], faults: [] }
  const { content, faults: malformed } = readJsonFile(path, ClientsFile)
  if (malformed) return { clients: [], faults: malformed }

  const { clients } = content
  const faults = clients.flatMap((entry, i) => [...crossFaults(entry, i, clients)])
  return { clients: clients.map(toClient), faults: faults.slice(0, MOST_FAULTS) }
}

function* crossFaults(entry: ClientEntry, index: number, all: readonly ClientEntry[]): Generator<string> {
  const place = `clients[${index}]`
  const { client_id: id, grant_types: grants = GRANT_TYPES, scope = '' } = entry
  if (isBuiltIn(id)) yield `${place}.client_id: is the name of a built-in client`
  else if (all.findIndex((other) => other.client_id === id) !== index) yield `${place}.client_id: is there twice`
  else if (all.findIndex((other) => tagOf(other.client_id) === tagOf(id)) !== index) {
    yield `${place}.client_id: cannot be told from another one by its digest, choose another`
  }
  if (scope.split(' ').includes('offline_access') && !grants.includes('refresh_token')) {
    yield `${place}.scope: offline_access needs refresh_token among grant_types`
  }
  if (grants.includes('refresh_token') && !grants.includes(DEVICE_CODE_GRANT)) {
    yield `${place}.grant_types: refresh_token needs ${DEVICE_CODE_GRANT}, there is nothing else to refresh`
  }
  if (grants.length === 0 && !entry.client_secret_digests) {
    yield `${place}.grant_types: without any, the client can only introspect, and needs client_secret_digests for that`
  }
  if (accessTokenTtlOf(entry) > authorizationTtlOf(entry)) {
    yield `${place}.access_token_ttl_seconds: is longer than authorization_ttl_seconds`
  }
}

const authorizationTtlOf = (entry: ClientEntry) => entry.authorization_ttl_seconds ?? 30 * DAY_SECONDS
const accessTokenTtlOf = (entry: ClientEntry) => entry.access_token_ttl_seconds ?? HOUR_SECONDS

function toClient(entry: ClientEntry): Client {
  return {
    id: entry.client_id,
    name: entry.client_name,
    type: entry.client_type ?? 'other',
    secretDigests: entry.client_secret_digests ?? [],
    grantTypes: entry.grant_types ?? GRANT_TYPES,
    scopes: readScope(entry.scope) ?? [],
    accessTokenTtlSeconds: accessTokenTtlOf(entry),
    authorizationTtlSeconds: authorizationTtlOf(entry),
    tag: tagOf(entry.client_id)
  }
}
