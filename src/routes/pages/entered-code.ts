/** Codes as they are typed on the page or come with a link. */

/** More than any way of writing a code takes; beyond that it is not even looked at. */
export const LONGEST_TYPED_CODE = 64

/** The one code of a query or a form, if it can be one at all. */
export function readTypedCode(value: unknown): string | undefined {
  const isUsable = typeof value === 'string' && value.length > 0 && value.length <= LONGEST_TYPED_CODE
  return isUsable ? value : undefined
}
