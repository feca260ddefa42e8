/**
 * What a program says about itself, made fit to be shown to whoever decides: nothing in it can turn, hide or outgrow what
 * stands beside it, and what looks like one thing and is another is pointed out (Unicode Technical Standard 39).
 */
export interface ReadableClaim {
  text: string
  /** Why a reader might be misled: it holds what cannot be seen, or letters of one alphabet that pass for another's. */
  doubts: readonly ('hidden' | 'lookalike')[]
}

/** In characters as people count them. */
const LONGEST_SHOWN = 64

/** Controls, formats (direction, zero width, tags), private use, half pairs, line and paragraph ends, the blank of braille. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u
/** What belongs to a picture: that it is drawn in colour, and what joins several into one. */
const OF_PICTURES =
  /(?<=\p{Extended_Pictographic})\uFE0F|(?<=\p{Extended_Pictographic}|\p{EMod}|\uFE0F)\u200D(?=\p{Extended_Pictographic})/u
const UNSEEN_OR_PICTURE = new RegExp(`${OF_PICTURES.source}|(${UNSEEN.source})`, 'gu')
/** Accents heaped on one letter reach over the lines around it; the signs of some scripts are more than two, but not many. */
const ACCENT = '(?:(?=\\p{M})\\p{Script=Inherited})'
const HEAPED_MARKS = new RegExp(`(${ACCENT}{2})${ACCENT}+|(\\p{M}{6})\\p{M}+`, 'gu')
/** In code points: a character as people count them can be of any length. */
const LONGEST_CHARACTER = 16

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Undefined for a claim that says nothing. */
export function readClaim(claim: string | undefined): ReadableClaim | undefined {
  if (claim === undefined) return undefined
  // NFKC: full-width, mathematical and circled letters become the letters they imitate.
  const plain = claim.normalize('NFKC')
  const seen = plain
    .replace(/\s+/gu, ' ')
    .replace(UNSEEN_OR_PICTURE, (found, unseen) => (unseen === undefined ? found : '\uFFFD'))
    .replace(/\uFFFD+/gu, '\uFFFD')
    .replace(HEAPED_MARKS, '$1$2')
    .trim()
  if (seen === '') return undefined
  const characters = [...segmenter.segment(seen)].map(({ segment }) =>
    [...segment].slice(0, LONGEST_CHARACTER).join('')
  )
  const text =
    characters.length > LONGEST_SHOWN ? `${characters.slice(0, LONGEST_SHOWN).join('')}…` : characters.join('')
  const doubts: ('hidden' | 'lookalike')[] = []
  if (seen.includes('\uFFFD') || seen.length < plain.trim().length / 2) doubts.push('hidden')
  if (isLookalike(seen)) doubts.push('lookalike')
  return { text, doubts }
}

/** The alphabets in which names are made to look like Latin ones; whoever mixes them within a word wants to be misread. */
const LATIN = /\p{Script=Latin}/u
const IMITATES_LATIN =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}\p{Script=Lisu}\p{Script=Canadian_Aboriginal}]/u
/** Letters of other alphabets that are drawn like a Latin one. */
const DRAWN_LIKE_LATIN =
  /^[аеорсухіјѕһԁԛԝӏАВЕКМНОРСТУХІЈЅԌԜοαινρυγΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսոցᎠᎡᎢᎥᎩᎪᎫᎬᎳᎵᎷᎻᎽᏀᏂᏃᏆᏎᏏᏒᏔᏕᏙᏚᏞᏟᏢᏣᏤᏦᏧᏩᏫᏳᏴ\p{Script=Lisu}]+$/u

function isLookalike(text: string): boolean {
  const words = text.match(/[\p{L}\p{M}]+/gu) ?? []
  return words.some((word) => {
    if (!IMITATES_LATIN.test(word)) return false
    return LATIN.test(word) || DRAWN_LIKE_LATIN.test(word)
  })
}
