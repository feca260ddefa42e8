/** How times, spans and places are written in the language of a visit. */
import type { Location } from '../../../core/grants/grant.js'
import type { Language } from '../texts/languages.js'
import type { Visit } from '../visit.js'

const DAY_SECONDS = 86_400
/** Where the language orders a date as it is usual, and hours go up to 24. */
const LOCALES: Readonly<Record<Language, string>> = {
  en: 'en-GB',
  de: 'de-DE',
  es: 'es-ES',
  fr: 'fr-FR',
  ja: 'ja-JP',
  pt: 'pt-BR'
}

/** Formatters are kept, because a page of a list needs a hundred times what making one costs. */
const dates = new Map<Language, Intl.DateTimeFormat>()
const spans = new Map<Language, Intl.RelativeTimeFormat>()

function kept<T>(formats: Map<Language, T>, language: Language, make: () => T): T {
  const format = formats.get(language) ?? make()
  formats.set(language, format)
  return format
}

/** "24 Nov 2026, 14:03 UTC": one zone for everybody, since the browser's is not known. */
export function time({ language }: Visit, ms: number): string {
  const options = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const
  const format = kept(dates, language, () => new Intl.DateTimeFormat(LOCALES[language], options))
  return `${format.format(ms)} UTC`
}

/** "2026-11-24 14:03:07 UTC", as logs have it. */
export function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** "2 minutes ago". */
export function ago({ language, nowMs }: Visit, ms: number): string {
  const seconds = Math.round((ms - nowMs) / 1000)
  const format = kept(spans, language, () => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }))
  if (seconds > -60) return format.format(Math.min(seconds, 0), 'second')
  if (seconds > -3_600) return format.format(Math.round(seconds / 60), 'minute')
  if (seconds > -DAY_SECONDS) return format.format(Math.round(seconds / 3_600), 'hour')
  return format.format(Math.round(seconds / DAY_SECONDS), 'day')
}

/** "in 30 seconds", "in 5 minutes": never sooner than after the seconds. */
export function wait({ language }: Visit, seconds: number): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'always' })
  return seconds <= 60 ? format.format(seconds, 'second') : format.format(Math.ceil(seconds / 60), 'minute')
}

/** "30 days", "12 hours", "5 minutes". */
export function span({ language }: Visit, seconds: number): string {
  const [amount, unit] =
    seconds >= DAY_SECONDS
      ? [seconds / DAY_SECONDS, 'day']
      : seconds >= 3_600
        ? [seconds / 3_600, 'hour']
        : [seconds / 60, 'minute']
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.round(amount))
}

/** "Lisbon, Lisbon, PT · 203.0.113.7". */
export function place({ texts }: Visit, location: Location | undefined, ip: string): string {
  return `${location?.text ?? texts.consent.unknownPlace} · ${ip}`
}

/** The name of a country in the language of the visit. */
export function country({ language }: Visit, code: string): string {
  return new Intl.DisplayNames(language, { type: 'region', fallback: 'code' }).of(code) ?? code
}
