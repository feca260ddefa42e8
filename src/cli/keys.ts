/** `grantd keys …`: lists and rotates the service's own signing keys. */
import type { SigningKeys } from '../core/tokens/signing-keys.js'

/** Runs one command and resolves to the lines to print. `isNow`: the new key signs at once. */
export async function runKeysCommand(keys: SigningKeys, command: string, isNow: boolean): Promise<string[]> {
  if (command === 'rotate') await keys.rotate(isNow ? 'now' : 'published-ahead')
  return describe(keys)
}

function describe(keys: SigningKeys): string[] {
  const published = new Set(keys.published().map(({ kid }) => kid))
  const current = keys.current()?.kid
  return keys.list().map(({ kid, alg, signsFromMs }) => {
    const since = new Date(signsFromMs).toISOString()
    const state = kid === current ? 'signs' : signsFromMs > Date.now() ? 'will sign' : 'only verifies'
    return `${kid}  ${alg}  ${state}, from ${since}${published.has(kid) ? '' : ', no longer published'}`
  })
}
