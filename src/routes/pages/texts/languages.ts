/** The languages of the pages. The first one is for everybody who reads none of the others. */
import { de } from './de.js'
import { en, type Texts } from './en.js'
import { fr } from './fr.js'

export const LANGUAGES = ['en', 'de', 'fr'] as const
export type Language = (typeof LANGUAGES)[number]

export const texts: Readonly<Record<Language, Texts>> = { en, de, fr }
