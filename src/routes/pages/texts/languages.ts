/** The languages of the pages. The first one is for everybody who reads none of the others. */
import '@fastify/accepts'
import type { FastifyRequest } from 'fastify'
import { de } from './de.js'
import { en, type Texts } from './en.js'
import { es } from './es.js'
import { fr } from './fr.js'
import { ja } from './ja.js'
import { pt } from './pt.js'

export const LANGUAGES = ['en', 'de', 'es', 'fr', 'ja', 'pt'] as const
export type Language = (typeof LANGUAGES)[number]

export const texts: Readonly<Record<Language, Texts>> = { en, de, es, fr, ja, pt }

/** The language that the browser prefers among these; the first one if it prefers none of them. */
export function languageOf(request: FastifyRequest): Language {
  const chosen = request.accepts().language([...LANGUAGES])
  return LANGUAGES.find((language) => language === chosen) ?? LANGUAGES[0]
}

/** The first of these tags (BCP 47) whose language the pages have, in whichever region. */
export function languageAmong(tags: readonly string[]): Language | undefined {
  const wanted = tags.map((tag) => tag.split('-', 1)[0]?.toLowerCase())
  return wanted.flatMap((one) => LANGUAGES.find((language) => language === one) ?? [])[0]
}
