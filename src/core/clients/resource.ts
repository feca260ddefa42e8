/**
 * A resource (RFC 8707): an API of the operator's that takes tokens of this service. They come from OAUTH_CLIENTS_FILE, and which
 * client may ask for which is part of the client (client.ts). A token is for one resource or, as `issuer` says, for none.
 */
import { fault } from '../fault.js'

export interface Resource {
  /** `aud` of its tokens: an absolute URI without fragment, which is compared as a text. */
  readonly identifier: string
  /** The operator's name for it, which the consent page shows. */
  readonly name: string
  /** The scopes that mean something to it. A token for it has no others. */
  readonly scopes: readonly string[]
  /** Caps the life of its tokens; undefined if the client's alone does. */
  readonly accessTokenTtlSeconds: number | undefined
  /** Whether the built-in clients may ask for it. */
  readonly isForBuiltInClients: boolean
  /** Whether those who name no resource, and may ask for this one, ask for this one. */
  readonly isDefault: boolean
}

/** Caps the resources of a request: a consent page with more would not be read. */
const MOST = 10

const NONE: readonly string[] = []

/** A parameter as it was sent: a text, or several of a form in which it is repeated (RFC 8707 §2). */
export type SentResources = string | readonly string[] | undefined

/** The identifiers that a parameter holds, each once; none if it is empty. Throws `invalid_target` unless all are the client's. */
export function readResources(own: readonly Resource[], sent: SentResources): readonly string[] {
  if (sent === undefined) return NONE
  const identifiers = [...new Set([sent].flat())].filter((text) => text !== '')
  const isAllowed = (identifier: string) => own.some((resource) => resource.identifier === identifier)
  if (identifiers.length > MOST || !identifiers.every(isAllowed)) throw fault('invalid_target')
  return identifiers
}

/** What people recognize of an identifier. */
export const hostOf = (identifier: string) => (URL.canParse(identifier) ? new URL(identifier).host : identifier)

/** The resources with these identifiers, in their order; those that the client may not ask for any more are left out. */
export function resourcesOf(own: readonly Resource[], identifiers: readonly string[] = NONE): readonly Resource[] {
  return identifiers.flatMap((identifier) => own.find((resource) => resource.identifier === identifier) ?? [])
}

/** What a client asks for at the start: what it names, otherwise its default resource, if it has one. Throws `invalid_target`. */
export function readRequestedResources(own: readonly Resource[], sent: SentResources): readonly Resource[] {
  const named = resourcesOf(own, readResources(own, sent))
  return named.length > 0 ? named : own.filter(({ isDefault }) => isDefault)
}

/**
 * Whom a token is for: of what was approved the first that is named, or simply the first. `invalid_target` if something else is
 * named, or if the client may not ask for it any more. What was approved for the issuer stays so.
 */
export function targetOf(
  own: readonly Resource[],
  approved: readonly string[] = NONE,
  named: readonly string[] = NONE
): Resource | 'issuer' | 'invalid_target' {
  if (!named.every((identifier) => approved.includes(identifier))) return 'invalid_target'
  const [chosen] = named.length > 0 ? named : approved
  if (chosen === undefined) return 'issuer'
  return own.find(({ identifier }) => identifier === chosen) ?? 'invalid_target'
}
