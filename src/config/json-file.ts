/** Reads a JSON file that the environment names, or lists where it does not match its schema. */
import { readFileSync } from 'node:fs'
import type { Static, TSchema } from '@sinclair/typebox'
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { Value } from '@sinclair/typebox/value'

/** Caps the number of faults that are listed for one file. */
export const MOST_FAULTS = 50

/**
 * The content, or one line per fault: the place, and what was expected there. Never the value, which could be a misplaced
 * secret. What was expected is the `expects` of that part of the schema.
 */
export function readJsonFile<T extends TSchema>(
  path: string,
  schema: T
): { content: Static<T>; faults?: undefined } | { content?: undefined; faults: string[] } {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    return { faults: [error instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${codeOf(error)}`] }
  }
  const malformed = new Map<string, string>()
  for (const error of Value.Errors(schema, content)) {
    // TypeBox reports several errors for one place (a missing member also has the wrong type); the first one is kept.
    if (!malformed.has(error.path)) malformed.set(error.path, describe(error))
  }
  if (malformed.size > 0) return { faults: [...malformed.values()].slice(0, MOST_FAULTS) }
  return { content: content as Static<T> }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** A fault as text, such as "clients[2].scope: expected …". */
function describe({ path, schema, type }: ValueError): string {
  const place =
    path
      .replaceAll(/\/(\d+)/g, '[$1]')
      .replaceAll('/', '.')
      .replace(/^\./, '') || 'the file'
  if (type === ValueErrorType.ObjectAdditionalProperties) return `${place}: is not known`
  if (type === ValueErrorType.ObjectRequiredProperty) return `${place}: is missing`
  return `${place}: expected ${schema.expects ?? 'something else'}`
}
