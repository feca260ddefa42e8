/**
 * Makes a client's unverified self-description safe to show on the consent page: invisible characters, such as those that
 * reverse the text around them, become U+FFFD, lengths are capped, and homographs are flagged (Unicode Technical Standard 39).
 */
export interface ReadableClaim {
  text: string
  /** Why the text might mislead: it held invisible characters (`hidden`), or letters that imitate Latin ones (`lookalike`). */
  doubts: readonly ('hidden' | 'lookalike')[]
}

/** The length cap of the shown text, in grapheme clusters. */
const LONGEST_SHOWN = 64

/**
 * Invisible characters: controls, format characters (direction, zero width, tags), private use, surrogates, unassigned code
 * points, line and paragraph separators, default-ignorables, the blank braille pattern. docs/dashboard-api.md has it for other pages.
 */
export const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u
/** The invisible characters of an emoji sequence, which are kept: variation selector 16 and the zero width joiner. */
const OF_PICTURES =
  /(?<=\p{Extended_Pictographic})\uFE0F|(?<=\p{Extended_Pictographic}|\p{EMod}|\uFE0F)\u200D(?=\p{Extended_Pictographic})/u
const UNSEEN_OR_PICTURE = new RegExp(`${OF_PICTURES.source}|(${UNSEEN.source})`, 'gu')
const EACH_UNSEEN = new RegExp(UNSEEN.source, 'gu')
/** Caps the combining marks on a letter, which would overflow the lines around it: two accents, or six marks of a script. */
const ACCENT = '(?:(?=\\p{M})\\p{Script=Inherited})'
const HEAPED_MARKS = new RegExp(`(${ACCENT}{2})${ACCENT}+|(\\p{M}{6})\\p{M}+`, 'gu')
/** The length cap of one grapheme cluster, in code points: Unicode itself sets none. */
const LONGEST_CHARACTER = 16
/** A joiner whose second picture was cut off. */
const JOINS_NOTHING = /\u200D$/u

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The readable form of a claim; undefined if the claim is absent or blank. */
export function readClaim(claim: string | undefined): ReadableClaim | undefined {
  if (claim === undefined) return undefined
  // NFKC replaces full-width, mathematical and circled letters by the plain letters they imitate.
  const plain = claim.normalize('NFKC')
  const seen = plain
    .replace(/\s+/gu, ' ')
    .replace(UNSEEN_OR_PICTURE, (found, unseen) => (unseen === undefined ? found : '\uFFFD'))
    .replace(/\uFFFD+/gu, '\uFFFD')
    .replace(HEAPED_MARKS, '$1$2')
    .trim()
  if (seen === '') return undefined
  const characters = [...segmenter.segment(seen)].map(({ segment }) =>
    [...segment].slice(0, LONGEST_CHARACTER).join('').replace(JOINS_NOTHING, '')
  )
  const text =
    characters.length > LONGEST_SHOWN ? `${characters.slice(0, LONGEST_SHOWN).join('')}…` : characters.join('')
  const doubts: ('hidden' | 'lookalike')[] = []
  if (seen.includes('\uFFFD') || seen.length < plain.trim().length / 2) doubts.push('hidden')
  if (isLookalike(seen)) doubts.push('lookalike')
  return { text, doubts }
}

/** An id, which people compare letter by letter: nothing is left out, and what cannot be seen is spelt by its code points. */
export function spellOut(id: string): string {
  const spelt = (found: string) => [...found].map((one) => `\\u{${one.codePointAt(0)?.toString(16)}}`).join('')
  return id.replace(EACH_UNSEEN, spelt).replace(HEAPED_MARKS, spelt)
}

/** Scripts with letters that resemble Latin ones. A word that mixes one of them with Latin is a likely homograph. */
const LATIN = /\p{Script=Latin}/u
const IMITATES_LATIN =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}\p{Script=Lisu}\p{Script=Canadian_Aboriginal}]/u
/** A word made only of letters that are drawn like Latin ones. */
const DRAWN_LIKE_LATIN =
  /^[аеорсухіјѕһԁԛԝӏАВЕКМНОРСТУХІЈЅԌԜοαινρυγΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսոցᎠᎡᎢᎥᎩᎪᎫᎬᎳᎵᎷᎻᎽᏀᏂᏃᏆᏎᏏᏒᏔᏕᏙᏚᏞᏟᏢᏣᏤᏦᏧᏩᏫᏳᏴ\p{Script=Lisu}]+$/u

function isLookalike(text: string): boolean {
  const words = text.match(/[\p{L}\p{M}]+/gu) ?? []
  return words.some((word) => {
    if (!IMITATES_LATIN.test(word)) return false
    return LATIN.test(word) || DRAWN_LIKE_LATIN.test(word)
  })
}
