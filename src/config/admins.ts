/** Reads ADMINS: who may see the admin pages. An entry says of which kind it is, and a comma in it is written %2C. */
import type { Upstream } from '../core/upstream/upstream.js'

export interface AdminsContent {
  /** The entries in their plain form: `user:ID`, `identity:PROVIDER:SUBJECT`, `group:PROVIDER:NAME`. */
  admins: string[]
  faults: string[]
}

/** `upstreams` are those of PROVIDERS_FILE, undefined where that has faults of its own. */
export function readAdmins(entries: readonly string[], upstreams: readonly Upstream[] | undefined): AdminsContent {
  if (entries.length === 0) return { admins: [], faults: [] }
  if (upstreams?.length === 0) {
    // Where people sign in by typing a name, anybody could type that of an admin.
    return { admins: [], faults: ['needs PROVIDERS_FILE, whose providers prove who somebody is'] }
  }
  const admins: string[] = []
  const faults: string[] = []
  for (const [i, entry] of entries.entries()) {
    const plain = decoded(entry)
    const problem = plain === undefined ? 'its percent-encoding is not UTF-8' : faultOf(plain, upstreams)
    if (problem !== undefined) faults.push(`entry ${i + 1}: ${problem}`)
    else admins.push(plain as string)
  }
  return { admins, faults }
}

function decoded(entry: string): string | undefined {
  try {
    return decodeURIComponent(entry)
  } catch {
    return undefined
  }
}

function faultOf(entry: string, upstreams: readonly Upstream[] | undefined): string | undefined {
  const [kind, id] = entry.split(':', 2)
  if (kind === 'user' || upstreams === undefined) return undefined
  const upstream = upstreams.find((one) => one.id === id)
  if (!upstream?.signsIn) return `no provider ${id} of PROVIDERS_FILE signs anybody in`
  if (kind === 'group' && !('issuer' in upstream.endpoints)) {
    return `the provider ${id} has no ID token, in which groups would be`
  }
  return undefined
}
