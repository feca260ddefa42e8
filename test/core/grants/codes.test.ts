import fc from 'fast-check'
import t from 'tap'
import {
  formatUserCode,
  isGrantCode,
  newGrantCode,
  newUserCode,
  readUserCode,
  USER_CODE_ALPHABET
} from '../../../src/core/grants/codes.js'

const LETTERS = 20
/** Returns the chi-square statistic of the counts against equal frequencies (19 degrees of freedom). */
function chiSquare(counts: number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

/**
 * Chance exceeds 43.8 once in 1,000 (p = 0.001, 19 degrees of freedom). Eight positions are tested, so that bound would
 * fail one run in 125. Chance exceeds 58 with p = 0.000008, so a correct generator fails less than once in ten thousand
 * runs (0.000064).
 */
const BOUND = 58

t.test('user codes', async (t) => {
  t.test('a million of them use every letter alike at every place, and nothing but the letters', async (t) => {
    const counts = Array.from({ length: 8 }, () => new Array<number>(128).fill(0))
    let wrongLengths = 0
    for (let i = 0; i < 1_000_000; i++) {
      const code = newUserCode()
      if (code.length !== 8) wrongLengths += 1
      for (let place = 0; place < 8; place++) {
        const row = counts[place] as number[]
        const unit = code.charCodeAt(place)
        row[unit] = (row[unit] ?? 0) + 1
      }
    }
    t.equal(wrongLengths, 0)
    for (const [place, row] of counts.entries()) {
      const used = row.flatMap((count, unit) => (count > 0 ? [String.fromCharCode(unit)] : []))
      t.equal(used.join(''), USER_CODE_ALPHABET, `place ${place + 1}: the alphabet`)
      const deviation = chiSquare([...USER_CODE_ALPHABET].map((letter) => row[letter.charCodeAt(0)] ?? 0))
      t.ok(deviation < BOUND, `place ${place + 1}: ${deviation.toFixed(1)} < ${BOUND}`)
    }
  })

  t.test('the same measure catches a generator that takes a byte modulo 20', async (t) => {
    const counts = new Array<number>(LETTERS).fill(0)
    for (let i = 0; i < 1_000_000; i++) counts[(i % 256) % LETTERS] = (counts[(i % 256) % LETTERS] ?? 0) + 1
    t.ok(chiSquare(counts) > 10 * BOUND)
  })

  t.test('the alphabet has 20 letters: no vowels, no Y, nothing twice', async (t) => {
    t.equal(USER_CODE_ALPHABET.length, LETTERS)
    t.equal(new Set(USER_CODE_ALPHABET).size, LETTERS)
    t.match(USER_CODE_ALPHABET, /^[B-DF-HJ-NP-TV-XZ]+$/)
  })

  t.test('100,000 of them hardly ever repeat', async (t) => {
    // 100,000 of 20^8 codes have 0.2 equal pairs on average. Chance gives six or more with less than one in ten
    // million.
    t.ok(new Set(Array.from({ length: 100_000 }, newUserCode)).size > 100_000 - 6)
  })

  t.test('people see them as XXXX-XXXX', async (t) => {
    t.equal(formatUserCode('BCDFGHJK'), 'BCDF-GHJK')
    t.match(formatUserCode(newUserCode()), /^[A-Z]{4}-[A-Z]{4}$/)
  })

  t.test('are read in any case, with spaces and hyphens of any kind', async (t) => {
    const dashes = [
      '-',
      '\u2010',
      '\u2011',
      '\u2012',
      '\u2013',
      '\u2014',
      '\u2015',
      '\u2e3a',
      '\u30a0',
      '\ufe58',
      '\ufe63',
      '\uff0d'
    ]
    const spaces = [
      ' ',
      '\t',
      '\n',
      '\r\n',
      '\u00a0',
      '\u1680',
      '\u2002',
      '\u2003',
      '\u2009',
      '\u202f',
      '\u3000',
      '\ufeff',
      '\u2028'
    ]
    for (const between of [...dashes, ...spaces, '', '--', ' - ', '\u00a0\u2013\u00a0']) {
      const name = encodeURIComponent(between)
      t.equal(readUserCode(`BCDF${between}GHJK`), 'BCDFGHJK', name)
      t.equal(readUserCode(`${between}b${between}cDf${between}gHjK${between}`), 'BCDFGHJK', `${name} anywhere`)
    }
    t.equal(readUserCode('b-c-d-f-g-h-j-k'), 'BCDFGHJK')
  })

  t.test('are nothing else', async (t) => {
    const refused = {
      nothing: '',
      'spaces and hyphens alone': ' - - ',
      'seven letters': 'BCDFGHJ',
      'nine letters': 'BCDFGHJKL',
      'a vowel': 'BCDFGHJA',
      'a Y': 'BCDFGHJY',
      'a digit': 'BCDFGHJ1',
      'an underscore': 'BCDF_GHJK',
      'a dot': 'BCDF.GHJK',
      'a minus sign, which is no hyphen': 'BCDF\u2212GHJK',
      'a NUL inside': 'BCDF\u0000GHJK',
      'a NUL instead of a letter': 'BCDFGHJ\u0000',
      'an emoji': 'BCDFGH🔑',
      'an emoji added': 'BCDFGHJK🔑',
      'half an emoji': 'BCDFGHJ\ud83d',
      'names of JavaScript': '__proto__',
      'eight letters of it': 'toString',
      'letters that look alike': 'ВСDFGHJK',
      'wide letters': 'ＢＣＤＦＧＨＪＫ',
      'a combining accent': 'BCDFGHJK\u0301',
      'a zero-width space': 'BCDF\u200bGHJK',
      'the Kelvin sign': 'BCDFGHJ\u212a',
      'a percent sign': 'BCDF%2DGHJK',
      'a very long text': 'BCDF'.repeat(100_000)
    }
    for (const [name, typed] of Object.entries(refused)) t.equal(readUserCode(typed), undefined, name)
  })

  t.test('come back from what people see, however it is typed', async (t) => {
    const separator = fc.constantFrom('', ' ', '-', '\u2013', '\u00a0', '\t')
    const letter = fc.constantFrom(...USER_CODE_ALPHABET)
    const code = fc.array(letter, { minLength: 8, maxLength: 8 }).map((letters) => letters.join(''))
    const disguise = fc.array(fc.tuple(fc.boolean(), separator), { minLength: 9, maxLength: 9 })
    fc.assert(
      fc.property(code, disguise, (code, disguise) => {
        const typed = [...formatUserCode(code)].map((unit, i) => {
          const [isSmall, between] = disguise[i] ?? [false, '']
          return (isSmall ? unit.toLowerCase() : unit) + between
        })
        return readUserCode(formatUserCode(code)) === code && readUserCode(typed.join('')) === code
      }),
      { numRuns: 2_000 }
    )
    t.pass('2,000 codes')
  })

  t.test('whatever is typed is a code or nothing', async (t) => {
    const wellFormed = new RegExp(`^[${USER_CODE_ALPHABET}]{8}$`)
    const isFine = (typed: string) => wellFormed.test(readUserCode(typed) ?? 'BCDFGHJK')
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 12 }), isFine), { numRuns: 5_000 })
    // These characters are close to those of a code, where a mistake would hide.
    const unit = fc.constantFrom(
      ...USER_CODE_ALPHABET,
      ...USER_CODE_ALPHABET.toLowerCase(),
      'A',
      'ſ',
      'ß',
      'ı',
      '-',
      ' ',
      '\u0000'
    )
    fc.assert(fc.property(fc.string({ unit, minLength: 6, maxLength: 10 }), isFine), { numRuns: 5_000 })
    t.pass('10,000 texts')
  })
})

t.test('grant codes', async (t) => {
  t.test('are 43 base64url characters, 256 bits, and never the same', async (t) => {
    const codes = Array.from({ length: 100_000 }, newGrantCode)
    t.equal(new Set(codes).size, codes.length)
    t.ok(codes.every((code) => /^[A-Za-z0-9_-]{43}$/.test(code)))
    t.ok(codes.every(isGrantCode))
    t.equal(Buffer.from(codes[0] ?? '', 'base64url').length, 32)
    const ones = new Array<number>(256).fill(0)
    for (const code of codes) {
      const bytes = Buffer.from(code, 'base64url')
      for (let bit = 0; bit < 256; bit++) ones[bit] = (ones[bit] ?? 0) + (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1)
    }
    // The bound is about seven standard deviations of a fair coin, which chance exceeds for none of 256 bits.
    const furthest = Math.max(...ones.map((count) => Math.abs(count - 50_000)))
    t.ok(furthest < 7 * Math.sqrt(100_000 / 4), `every bit is a coin: ${furthest}`)
  })

  t.test('what cannot be one is told at once', async (t) => {
    const code = newGrantCode()
    const refused = [
      '',
      code.slice(1),
      `${code}A`,
      `${code}\n`,
      `\n${code}`,
      ` ${code}`,
      code.replace(/.$/, '='),
      code.replace(/^./, '+')
    ]
    for (const text of [...refused, code.replace(/^./, '\u0000'), code.replace(/^./, 'é'), '__proto__']) {
      t.notOk(isGrantCode(text), encodeURIComponent(text))
    }
  })
})
