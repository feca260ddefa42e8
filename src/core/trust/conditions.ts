/**
 * Checks a claim against a condition. A claim that is missing or is no string fails every operator, even the negated
 * ones.
 */
import type { Condition } from './tenant.js'

export function holds({ key, operator, value }: Condition, claims: Readonly<Record<string, unknown>>): boolean {
  const claim = Object.hasOwn(claims, key) ? claims[key] : undefined
  if (typeof claim !== 'string') return false
  switch (operator) {
    case 'stringEquals':
      return claim === value
    case 'stringNotEquals':
      return claim !== value
    case 'stringLike':
      return isLike(claim, value)
    case 'stringNotLike':
      return !isLike(claim, value)
  }
}

/**
 * Whether a text matches a pattern in which `*` stands for any text. Each part is matched at its first place, so there
 * is no backtracking and no ReDoS.
 */
export function isLike(text: string, form: string): boolean {
  const [first = '', ...parts] = form.split('*')
  const last = parts.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
