/** Reads WEBHOOKS_FILE, or lists its faults. Its format is described in schemas/webhooks-file.ts. */
import { SECRET, type WebhookEntry, WebhooksFile } from '../../schemas/webhooks-file.js'
import { EVENT_TYPES } from '../core/audit/event.js'
import { digestOf } from '../core/secrets/digest.js'
import { createUrlGuard } from '../core/trust/url-guard.js'
import { isWanted, type WebhookEndpoint } from '../core/webhooks/endpoint.js'
import { secretBytesOf } from '../core/webhooks/signature.js'
import { MOST_FAULTS, readJsonFile } from './named-files.js'

export interface WebhooksFileContent {
  webhooks: WebhookEndpoint[]
  /** One line each: the place, and what was expected there. Never the value, which could be a secret. */
  faults: string[]
}

export function readWebhooksFile(path: string | undefined): WebhooksFileContent {
  if (path === undefined) return { webhooks: [], faults: [] }
  const { content, faults: malformed } = readJsonFile(path, WebhooksFile)
  if (malformed) return { webhooks: [], faults: malformed }
  const webhooks = content.map(toEndpoint)
  const faults = content.flatMap((entry, i) => [...entryFaults(entry, i, webhooks)])
  return { webhooks, faults: faults.slice(0, MOST_FAULTS) }
}

function* entryFaults(entry: WebhookEntry, index: number, all: readonly WebhookEndpoint[]): Generator<string> {
  const place = `[${index}]`
  if (all.findIndex(({ id }) => id === all[index]?.id) !== index) {
    yield `${place}.${entry.id === undefined ? 'url' : 'id'}: is there twice, and names what is kept of an endpoint`
  }
  if (entry.internal ? !isUrl(entry.url) : !isPublic(entry.url)) {
    yield `${place}.url: expected an https URL of a public host, without user and password; "internal": true allows others`
  }
  for (const [i, secret] of secretsOf(entry).entries()) {
    const at = Array.isArray(entry.secret) ? `secret[${i}]` : 'secret'
    if (!secretBytesOf(secret)) yield `${place}.${at}: expected ${SECRET}`
  }
  for (const [i, type] of entry.types.entries()) {
    const isKnown = EVENT_TYPES.some((known) => isWanted({ types: [type] }, known))
    if (!isKnown) yield `${place}.types[${i}]: there are no such events`
  }
}

const guard = createUrlGuard({ allowLoopback: false })

/** Whether a URL may be asked as far as it can be told by its form; its name is looked up when something is sent. */
function isPublic(text: string): boolean {
  try {
    return guard.check(text).hash === ''
  } catch {
    return false
  }
}

function isUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username === '' && password === ''
}

const secretsOf = ({ secret }: WebhookEntry) => (typeof secret === 'string' ? [secret] : secret)

/** Without an id an endpoint is called after its URL, so that what is kept of it stays its own. */
const idOf = ({ id, url }: WebhookEntry) => id ?? digestOf(url).slice(0, 12)

function toEndpoint(entry: WebhookEntry): WebhookEndpoint {
  return {
    id: idOf(entry),
    url: entry.url,
    secrets: secretsOf(entry),
    types: entry.types,
    isInternal: entry.internal === true
  }
}
