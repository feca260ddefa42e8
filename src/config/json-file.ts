/** Reads a JSON file that the configuration names, or says everything that is wrong with its shape. */
import { readFileSync } from 'node:fs'
import type { Static, TSchema } from '@sinclair/typebox'
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { Value } from '@sinclair/typebox/value'

/** A fault in every line of a long file helps nobody. */
export const MOST_FAULTS = 50

/**
 * The content, or one line per fault: where, and what was expected there. Never a value, which could be a secret in the wrong
 * place. Every part of the schema says in `expects` what it expects.
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
    // What is missing is also not what was expected: the first thing said of a place is enough.
    if (!malformed.has(error.path)) malformed.set(error.path, describe(error))
  }
  if (malformed.size > 0) return { faults: [...malformed.values()].slice(0, MOST_FAULTS) }
  return { content: content as Static<T> }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** "clients[2].scope: expected …", naming the innermost part that says what it expects. */
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
