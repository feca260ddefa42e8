/** Whether claims meet a condition. A claim that is missing or no string fails every operator, negated ones too. */
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

/** Whether a text has a form in which `*` stands for any text. Each part is taken where it first fits: nothing backtracks. */
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
