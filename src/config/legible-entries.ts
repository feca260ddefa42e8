/**
 * What can be read of an OAUTH_CLIENTS_FILE with malformed entries, so that the others are checked all the same: every fault is told
 * at once.
 */
import type { ClientEntry, ClientsFile, ResourceEntry } from '../../schemas/clients-file.js'
import type { Malformed } from './named-files.js'

export interface LegibleFile {
  /** Its malformed entries have what the others are compared with, as far as it can be read, and nothing else. */
  file: ClientsFile
  isWellFormed(list: 'clients' | 'resources', index: number): boolean
}

type Members = Record<string, unknown>

/** Undefined if it is not known what entries there are. */
export function legibleFile({ places, read }: Malformed): LegibleFile | undefined {
  if (typeof read !== 'object' || read === null) return undefined
  const { clients = [], resources = [] } = read as Members
  if (!Array.isArray(clients) || !Array.isArray(resources)) return undefined
  const malformed = new Set(places.map((place) => place.split('/', 3).join('/')))
  const isWellFormed: LegibleFile['isWellFormed'] = (list, index) => !malformed.has(`/${list}/${index}`)
  const file = {
    clients: clients.map((entry, i) => (isWellFormed('clients', i) ? entry : legibleClient(membersOf(entry)))),
    resources: resources.map((entry, i) => (isWellFormed('resources', i) ? entry : legibleResource(membersOf(entry))))
  }
  return { file, isWellFormed }
}

const membersOf = (entry: unknown) => Object(entry) as Members
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

const legibleClient = ({ client_id: id, resources }: Members): ClientEntry => ({
  client_id: textOf(id),
  ...(Array.isArray(resources) && { resources })
})

const legibleResource = ({ identifier, scope, ...flags }: Members): ResourceEntry => ({
  identifier: textOf(identifier),
  name: '',
  scope: textOf(scope),
  built_in_clients: flags.built_in_clients === true,
  default: flags.default === true
})
