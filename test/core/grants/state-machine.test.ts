/**
 * What a grant goes by, as plain functions: its rules, tested with the numbers of the specification and not with constants
 * of the code, its codes, and what a program says about itself, as it is shown to the user who decides.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import {
  formatUserCode,
  isBlankUserCode,
  isGrantCode,
  newGrantCode,
  newUserCode,
  readUserCode,
  USER_CODE_ALPHABET
} from '../../../src/core/grants/codes.js'
import { countriesDiffer } from '../../../src/core/grants/grant.js'
import { readClaim, UNSEEN } from '../../../src/core/grants/self-description.js'
import {
  type GrantState,
  graceMs,
  judgeCollection,
  judgeDecision,
  judgePoll,
  judgeWithdrawal
} from '../../../src/core/grants/state-machine.js'
import { nameFromUserAgent, platformFromUserAgent } from '../../../src/core/grants/user-agent.js'
import { anyCharacter } from '../../support/any-character.js'
import { root } from '../../support/root.js'

const NOW = 1_700_000_000_000

const stateOf = (parts: Partial<GrantState> = {}): GrantState => ({
  phase: 'pending',
  expiresAtMs: NOW + 900_000,
  intervalMs: 5_000,
  polledAtMs: 0,
  isRepeatable: false,
  collectedAtMs: 0,
  ...parts
})

const interval = fc.integer({ min: 1_000, max: 60_000 })
const phase = fc.constantFrom<GrantState['phase']>('pending', 'approved', 'denied', 'collected', 'withdrawn')
const state = fc
  .record({
    phase,
    intervalMs: interval,
    polledAgoMs: fc.option(fc.oneof(fc.nat(70_000), fc.nat(400))),
    isRepeatable: fc.boolean(),
    leftMs: fc.integer({ min: -400_000, max: 900_000 }),
    collectedAgoMs: fc.nat(60_000)
  })
  .map(({ phase, intervalMs, polledAgoMs, isRepeatable, leftMs, collectedAgoMs }) =>
    stateOf({
      ...{ phase, intervalMs, expiresAtMs: NOW + leftMs },
      ...(polledAgoMs !== null && { polledAtMs: NOW - polledAgoMs, isRepeatable }),
      collectedAtMs: phase === 'collected' ? NOW - collectedAgoMs : 0
    })
  )

const holds = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => boolean) =>
  fc.assert(fc.property(arbitrary, property), { numRuns: 3_000 })

t.test('the grace is a tenth of the interval and at least half a second', async (t) => {
  const expected = [1_000, 500, 5_000, 500, 5_001, 500.1, 10_000, 1_000, 60_000, 6_000]
  for (let i = 0; i < expected.length; i += 2) t.equal(graceMs(expected[i] as number), expected[i + 1])
})

t.test('a poll within the interval, less the grace, is slowed down, and no other', async (t) => {
  holds(fc.tuple(interval, fc.nat(70_000)), ([intervalMs, gapMs]) => {
    const grant = stateOf({ intervalMs, polledAtMs: NOW - gapMs })
    const verdict = judgePoll(grant, NOW)
    const isEarly = gapMs < intervalMs - Math.max(500, 0.1 * intervalMs)
    const isRight = verdict === (isEarly ? 'slow_down' : 'pending')
    return isRight && grant.intervalMs === (isEarly ? Math.min(intervalMs + 5_000, 60_000) : intervalMs)
  })
  t.pass('3,000 gaps')
})

t.test(
  'of the polls within 300 ms of an accepted one the first repeats it, and the others are slowed down',
  async (t) => {
    holds(fc.tuple(interval, fc.array(fc.nat(400), { maxLength: 6 })), ([intervalMs, gaps]) => {
      const grant = stateOf({ intervalMs })
      judgePoll(grant, NOW)
      const paceOf = ({ intervalMs, polledAtMs }: GrantState) => ({ intervalMs, polledAtMs })
      let mayRepeat = true
      let nowMs = NOW
      return gaps.every((gapMs) => {
        nowMs += gapMs
        const before = paceOf(grant)
        // A grant with a short interval may be polled again by now.
        if (nowMs >= grant.polledAtMs + grant.intervalMs - graceMs(grant.intervalMs)) return true
        const repeats = mayRepeat && nowMs <= NOW + 300
        mayRepeat = false
        const isRight = judgePoll(grant, nowMs) === (repeats ? 'pending' : 'slow_down')
        return isRight && (!repeats || isDeepStrictEqual(paceOf(grant), before))
      })
    })
    t.pass('3,000 bursts')
  }
)

t.test('every poll of a pending grant but a repetition moves its pace, and nothing else moves it', async (t) => {
  holds(state, (grant) => {
    const before = { ...grant }
    const verdict = judgePoll(grant, NOW)
    const isEarly = NOW < before.polledAtMs + before.intervalMs - graceMs(before.intervalMs)
    const isRepetition = verdict === 'pending' && isEarly
    const isPaced = (verdict === 'pending' && !isRepetition) || verdict === 'slow_down'
    const rest = { polledAtMs: 0, intervalMs: 0, isRepeatable: false }
    if (!isDeepStrictEqual({ ...grant, ...rest }, { ...before, ...rest })) return false
    return isPaced
      ? grant.polledAtMs === NOW
      : grant.polledAtMs === before.polledAtMs && grant.intervalMs === before.intervalMs
  })
  t.pass('3,000 states')
})

t.test('the first poll is never slowed down', async (t) => {
  holds(interval, (intervalMs) => judgePoll(stateOf({ intervalMs }), NOW) === 'pending')
  t.pass('at 3,000 intervals')
})

t.test('an interval only grows, and never beyond a minute', async (t) => {
  holds(fc.tuple(interval, fc.array(fc.nat(70_000), { maxLength: 40 })), ([intervalMs, gaps]) => {
    const grant = stateOf({ intervalMs, expiresAtMs: Number.MAX_SAFE_INTEGER })
    let nowMs = NOW
    for (const gapMs of gaps) {
      const before = grant.intervalMs
      nowMs += gapMs
      judgePoll(grant, nowMs)
      if (grant.intervalMs < before || grant.intervalMs > 60_000) return false
    }
    return true
  })
  t.pass('3,000 histories')
})

t.test('a client that heeds what it is told is never told a second time', async (t) => {
  holds(
    fc.tuple(interval, fc.array(fc.integer({ min: 900, max: 2_000 }), { maxLength: 30 })),
    ([intervalMs, paces]) => {
      const grant = stateOf({ intervalMs, expiresAtMs: Number.MAX_SAFE_INTEGER })
      for (let i = 0; i < 3; i++) judgePoll(grant, NOW)
      let nowMs = NOW
      return paces.every((perMille) => {
        nowMs += Math.ceil((grant.intervalMs * perMille) / 1_000)
        return judgePoll(grant, nowMs) === 'pending'
      })
    }
  )
  t.pass('3,000 clients, by clocks up to a tenth fast')
})

t.test('a decision beats pace and expiry', async (t) => {
  holds(state, (grant) => {
    const { phase, expiresAtMs } = grant
    if (phase !== 'approved' && phase !== 'denied') return true
    return judgePoll(grant, NOW) === (NOW < expiresAtMs + 300_000 ? phase : 'unknown')
  })
  t.pass('3,000 states')
})

t.test('an undecided grant expires at its time and is forgotten five minutes later', async (t) => {
  for (const [offMs, verdict] of [
    [-1, 'pending'],
    [0, 'expired'],
    [299_999, 'expired'],
    [300_000, 'unknown']
  ] as const) {
    t.equal(judgePoll(stateOf(), NOW + 900_000 + offMs), verdict, `${offMs} ms from the expiry`)
  }
})

t.test('a decision is open exactly while a grant is pending and alive', async (t) => {
  holds(state, (grant) => {
    const { phase, expiresAtMs } = grant
    const living = phase === 'withdrawn' ? phase : phase === 'pending' && NOW < expiresAtMs ? 'open' : 'resolved'
    return judgeDecision(grant, NOW) === (NOW >= expiresAtMs + 300_000 ? 'unknown' : living)
  })
  t.pass('3,000 states')
})

t.test('a withdrawal ends what is pending and alive, and nothing else', async (t) => {
  holds(state, (grant) => {
    const before = { ...grant }
    const verdict = judgeWithdrawal(grant, NOW)
    const isForgotten = NOW >= before.expiresAtMs + 300_000
    if (before.phase === 'pending' && NOW < before.expiresAtMs) {
      const isEnded = grant.phase === 'withdrawn' && isDeepStrictEqual({ ...grant, phase: 'pending' }, before)
      return (
        isEnded &&
        verdict === 'withdrawn' &&
        judgeDecision(grant, NOW) === 'withdrawn' &&
        judgePoll(grant, NOW) === 'expired'
      )
    }
    if (!isDeepStrictEqual(grant, before)) return false
    if (before.phase === 'collected' && NOW - before.collectedAtMs <= 30_000) return verdict === 'approved'
    if (isForgotten) return verdict === 'unknown'
    if (before.phase === 'approved' || before.phase === 'collected') return verdict === 'approved'
    return verdict === (before.phase === 'withdrawn' ? 'withdrawn' : 'resolved')
  })
  t.pass('3,000 states')
})

t.test('a collection claims what is approved, once, and holds for 30 seconds', async (t) => {
  const grant = stateOf({ phase: 'approved' })
  t.equal(judgeCollection(grant, NOW), 'collected')
  t.same([grant.phase, grant.collectedAtMs], ['collected', NOW])
  for (const [offMs, again, poll] of [
    [0, 'collected', 'approved'],
    [30_000, 'collected', 'approved'],
    [30_001, 'spent', 'spent']
  ] as const) {
    t.equal(judgeCollection(grant, NOW + offMs), again)
    t.equal(judgePoll(grant, NOW + offMs), poll)
    t.equal(grant.collectedAtMs, NOW, 'by its first time')
  }
  holds(state, (grant) => {
    const before = { ...grant }
    const verdict = judgeCollection(grant, NOW)
    const isAlive = NOW < before.expiresAtMs + 300_000
    if (before.phase === 'approved' && isAlive) return verdict === 'collected' && grant.collectedAtMs === NOW
    // Only the first collection may change the grant.
    if (!isDeepStrictEqual(grant, before)) return false
    if (before.phase !== 'collected') return verdict === 'unknown'
    return verdict === (NOW - before.collectedAtMs <= 30_000 ? 'collected' : 'spent')
  })
})

t.test('countries differ only when both are known', async (t) => {
  const at = (country?: string) => ({ text: 'somewhere', ...(country !== undefined && { country }) })
  t.equal(countriesDiffer(at('DE'), at('DE')), false)
  t.equal(countriesDiffer(at('DE'), at('AT')), true)
  for (const [requester, approver] of [
    [at('DE'), at()],
    [at(), at('DE')],
    [at(), at()],
    [undefined, at('DE')],
    [at('DE'), undefined],
    [undefined, undefined]
  ] as const) {
    t.equal(countriesDiffer(requester, approver), undefined)
  }
})

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

  t.test('whatever is no letter and no digit drops, and full-width letters are letters', async (t) => {
    const accepted = {
      'full-width letters': 'ＢＣＤＦＧＨＪＫ',
      'the long vowel mark, which is the hyphen of a Japanese keyboard': 'ＢＣＤＦーＧＨＪＫ',
      'its narrow form, and other modifier letters': 'BC\uff70DF\u02bcGH\u0640JK',
      'small ones, with a full-width hyphen and space': 'ｂｃｄｆ－\u3000ｇｈｊｋ',
      'both widths': 'BCDFｇｈjk',
      'an underscore': 'BCDF_GHJK',
      'a dot': 'BCDF.GHJK',
      'dots, in quotes': '“B.C.D.F.G.H.J.K.”',
      'a line drawn as a minus sign': 'BCDF\u2212GHJK',
      'a slash, a backslash, a plus sign': '/BCDF\\GHJK+',
      'zero-width space, joiner and word joiner': 'BC\u200bDF\u200dGH\u2060JK',
      'a soft hyphen': 'BCDF\u00adGHJK',
      'marks of direction': '\u202eBCDF-GHJK\u202c',
      'a NUL': 'BCDF\u0000GHJK',
      'an emoji': 'BCDF-GHJK🔑',
      'a combining accent': 'BCDF-GHJK\u0301',
      'an escape character and a bracket': '\x1b[BCDFGHJK'
    }
    for (const [name, typed] of Object.entries(accepted)) t.equal(readUserCode(typed), 'BCDFGHJK', name)
  })

  t.test('are blank without a letter and without a digit', async (t) => {
    for (const typed of ['', ' ', '----', '._-', '\u200b', '\u3000', '\u0000', '🔑', '“”', '\ud83d', '\u0301', '*']) {
      t.ok(isBlankUserCode(typed), JSON.stringify(typed))
    }
    for (const typed of ['B', '1', 'é', 'х', '-Ｂ-', '日', '²']) t.notOk(isBlankUserCode(typed), typed)
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
      'a NUL instead of a letter': 'BCDFGHJ\u0000',
      'an emoji': 'BCDFGH🔑',
      'half an emoji': 'BCDFGHJ\ud83d',
      'names of JavaScript': '__proto__',
      'eight letters of it': 'toString',
      'letters that look alike': 'ВСDFGHJK',
      'the Kelvin sign': 'BCDFGHJ\u212a',
      'a long s': 'BCDFGHJ\u017f',
      'a ligature of s and t': 'BCDFGH\ufb06',
      'a mathematical letter': 'BCDFGHJ\u{1d40a}',
      'a letter with its accent': 'BCDFGHJ\u1e31',
      'a full-width vowel': 'BCDFGHJ\uff21',
      'a full-width digit': 'BCDFGHJK\uff11',
      'a circled letter, which is a sign': 'BCDFGHJ\u24c0',
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
    fc.assert(fc.property(fc.string({ unit: anyCharacter, maxLength: 12 }), isFine), { numRuns: 5_000 })
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

const LONGEST = 64
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const charactersOf = (text: string) => [...segmenter.segment(text)].map(({ segment }) => segment)
const textOf = (claim: string) => readClaim(claim)?.text
const doubtsOf = (claim: string) => readClaim(claim)?.doubts

/**
 * Characters that are never shown: controls, format characters, lone surrogates, private and unassigned ones, line
 * ends. This includes text direction and zero width.
 */
const NEVER_SHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u
/** What makes one picture of several is shown. */
const JOINED = /(\p{Extended_Pictographic}[\uFE0F\p{EMod}]*)\u200D(?=\p{Extended_Pictographic})/gu
const DIRECTION = [...'\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069']
const INVISIBLE = [
  ...'\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u200c\u200d\u2060\u2064\u3164\ufeff\uffa0\u{e0001}\u{e0041}'
]
const CONTROLS = [...'\u0000\u0007\u001b\u007f\u0085\u009b\ue000\ufffe\u{10ffff}\u2028\u2029']

/** Those of them that are not treated as spaces. */
const HIDDEN = [...DIRECTION, ...INVISIBLE, ...CONTROLS].filter((one) => !/\s/.test(one))

/** Any sequence of UTF-16 code units, including lone surrogates. */
const anyUnits = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
  .map((units) => String.fromCharCode(...units))
/** The parts of texts with many unusual characters. */
const oddParts = [
  ...DIRECTION,
  ...INVISIBLE,
  ...CONTROLS,
  '\u0301',
  '\u0323',
  '\u20dd',
  ' ',
  '\u00a0',
  '\u3000',
  '\t',
  '\n'
]
const plainParts = [
  ...'aZ9é中ض日क़한ᄀ가ﷺﬃ½℃Ａ𝐆Ⓖ🚀👍🏽🇵🇹а',
  '\ud83d',
  '\ude80',
  'क्ष',
  '…',
  '\ufffd',
  '🚀\u200d👍',
  '\u200d👍'.repeat(12)
]
const oddText = fc.array(fc.constantFrom(...oddParts, ...plainParts), { maxLength: 200 }).map((parts) => parts.join(''))
const anyText = fc.oneof(
  anyUnits,
  oddText,
  fc.string({ unit: anyCharacter, maxLength: 300 }),
  fc.string({ unit: 'grapheme' })
)
const RUNS = { numRuns: 2_000 }

t.test('any text at all', async (t) => {
  t.test('never throws, and what is shown says something', async () => {
    fc.assert(
      fc.property(anyText, (claim) => {
        const text = textOf(claim)
        return text === undefined ? /^\s*$/u.test(claim.normalize('NFKC')) : text.trim() === text && text !== ''
      }),
      RUNS
    )
  })

  t.test('never shows what turns, hides or breaks a line', async () => {
    fc.assert(
      fc.property(anyText, (claim) => !NEVER_SHOWN.test((textOf(claim) ?? '').replace(JOINED, '$1'))),
      RUNS
    )
  })

  t.test('never shows more than 64 characters and a sign that there were more', async () => {
    fc.assert(
      fc.property(anyText, (claim) => {
        const text = textOf(claim) ?? ''
        const characters = charactersOf(text)
        if (characters.length <= LONGEST) return true
        return characters.length === LONGEST + 1 && text.endsWith('…')
      }),
      RUNS
    )
  })

  t.test('never heaps more than two marks on one letter of an alphabet', async () => {
    fc.assert(
      fc.property(anyText, (claim) => !/[\u0300-\u036f]{3}/.test(textOf(claim) ?? '')),
      RUNS
    )
  })

  t.test('reads what it shows as it shows it', async () => {
    fc.assert(
      fc.property(anyText, (claim) => {
        const text = textOf(claim)
        return text === undefined || text.includes('…') || textOf(text) === text
      }),
      RUNS
    )
  })

  t.test('tells whenever something is not shown', async () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
        fc.constantFrom(...HIDDEN),
        fc.nat(),
        (plain, odd, at) => {
          const letters = `x${plain}x`
          const place = 1 + (at % (letters.length - 1))
          return doubtsOf(letters.slice(0, place) + odd + letters.slice(place))?.includes('hidden') === true
        }
      ),
      RUNS
    )
  })

  t.test('has no doubts about ASCII, and changes only its spaces', async () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: LONGEST }), (claim) => {
        const wanted = claim.replace(/ +/g, ' ').trim()
        if (wanted === '') return readClaim(claim) === undefined
        const { text, doubts } = readClaim(claim) ?? {}
        const isMostlySpaces = wanted.length < claim.trim().length / 2
        return text === wanted && doubts?.length === (isMostlySpaces ? 1 : 0)
      }),
      RUNS
    )
  })
})

t.test('the documentation has the regular expression for pages of others', async (t) => {
  const page = readFileSync(join(root, 'docs/dashboard-api.md'), 'utf8')
  const [, source = ''] = /^const unseen = \/(.+)\/gu$/m.exec(page) ?? []
  t.equal(source, UNSEEN.source)
  const unseen = new RegExp(source, 'gu')
  for (const one of [...DIRECTION, '\u001b', '\u0000', '\u007f', '\u009b', '\u200b'])
    t.equal(one.replace(unseen, '.'), '.')
  t.equal('build-7.example.com, Zoë'.replace(unseen, '.'), 'build-7.example.com, Zoë')
})

t.test('nothing said', async (t) => {
  for (const claim of [undefined, '', ' ', '\t\r\n', '\u00a0\u3000\u2003', '\u2028\u2029', '\ufeff']) {
    t.equal(readClaim(claim), undefined, `${claim && encodeURIComponent(claim)}`)
  }
  t.strictSame(readClaim('\u200b'), { text: '\ufffd', doubts: ['hidden'] }, 'hiding everything is not saying nothing')
})

t.test('names of the world are shown as they are, without a doubt', async (t) => {
  const names = [
    'Deploy tool',
    'terraform-provider_v1.2.3 (linux/amd64)',
    'C++ & "friends" <3',
    'Zoë Müller-Lüdenscheidt',
    'Ångström naïve façade',
    'Đặng Thị Ngọc Hân',
    'İstanbul ışık',
    'Łódź žluťoučký kůň',
    '部署工具',
    '배포 도구',
    'デプロイ ツール',
    'デプロイtool',
    'أداة النشر',
    'ابزار استقرار',
    'כלי פריסה',
    'परिनियोजन उपकरण',
    'हिन्दी में',
    'เครื่องมือ',
    'Ядро Сборки',
    'Εργαλείο Ανάπτυξης',
    'Գործիք',
    'ინსტრუმენტი',
    'Git Ядро',
    'Ядро v2',
    '🚀 deploy',
    '👍🏽',
    '🇵🇹 Lisboa',
    'build-7.example.com'
  ]
  for (const name of names) t.strictSame(readClaim(name), { text: name.normalize('NFKC'), doubts: [] }, name)
  for (const name of names) t.strictSame(doubtsOf(name.normalize('NFD')), [], `${name}, in pieces`)
})

t.test('pictures that are drawn in colour are no reason to doubt', async (t) => {
  // U+FE0F asks for the coloured form of a character; most keyboards add it to these.
  for (const name of ['⚙️ deploy', '❤️', '☁️ sync', 'Tool ✈️']) {
    t.strictSame(doubtsOf(name), [], name)
    t.notMatch(textOf(name), /\ufffd/, name)
  }
})

t.test('names that need several signs on one letter are not cut', async (t) => {
  for (const name of ['မြို့တော်', 'ကျွန်ုပ်တို့', 'བསྒྲུབས']) t.equal(textOf(name), name, name)
})

t.test('letters that imitate others become those', async (t) => {
  for (const [claim, text] of [
    ['Ｇｉｔｈｕｂ', 'Github'],
    ['𝐆𝐢𝐭𝐡𝐮𝐛', 'Github'],
    ['𝖌𝖎𝖙𝖍𝖚𝖇', 'github'],
    ['ⓖⓘⓣ', 'git'],
    ['ﬁle', 'file'],
    ['①', '1'],
    ['ａ\u3000b', 'a b'],
    ['e\u0301', 'é']
  ] as const) {
    t.strictSame(readClaim(claim), { text, doubts: [] }, claim)
  }
})

t.test('letters of another alphabet among Latin ones, or in place of them, are pointed out', async (t) => {
  const mixed = [
    'pаypal',
    'Gооgle',
    'GitНub',
    'αpple',
    'micrοsoft',
    'ոpm',
    'Ꭰeploy',
    'depⲟy',
    'docκer-cli',
    'ꓖithub',
    'ᗷash'
  ]
  for (const name of mixed) t.ok(doubtsOf(name)?.includes('lookalike'), `${name}, mixed`)
  const whole = ['аррӏе', 'ТОР', 'НЕАР', 'ΑΒΕ', 'сосо', 'ѕсоре', 'ᎪᏢᏢᏞᎬ', 'ꓖꓲꓔ']
  for (const name of whole) t.ok(doubtsOf(name)?.includes('lookalike'), `${name}, whole words`)
  t.strictSame(doubtsOf('Deploy pаypal tool'), ['lookalike'], 'wherever the word is')
  t.strictSame(doubtsOf('p\u200bаypal'), ['hidden', 'lookalike'], 'beside what is hidden')
})

t.test('what cannot be seen is shown as a sign, one for any number in a row', async (t) => {
  for (const odd of HIDDEN) {
    const about = `U+${odd.codePointAt(0)?.toString(16)}`
    t.strictSame(readClaim(`a${odd}b`), { text: 'a\ufffdb', doubts: ['hidden'] }, about)
    t.strictSame(readClaim(`a${odd.repeat(50)}b`), { text: 'a\ufffdb', doubts: ['hidden'] }, `${about}, fifty times`)
  }
  t.equal(textOf('a\u2028b\nc\td'), 'a b c d', 'ends of lines are spaces')
  t.strictSame(readClaim('a\ud83db'), { text: 'a\ufffdb', doubts: ['hidden'] }, 'half of a pair')
  t.strictSame(readClaim('\u202eexe.gnp'), { text: '\ufffdexe.gnp', doubts: ['hidden'] })
  t.strictSame(doubtsOf(`Approve${' '.repeat(200)}Deny`), ['hidden'], 'what pushes the rest away')
})

t.test('marks that are heaped on a letter do not reach over the lines around it', async (t) => {
  const heaped = `Z\u0300\u0301${'\u0302\u0303\u0304'.repeat(20)}o`
  const { text = '', doubts } = readClaim(heaped) ?? {}
  t.ok(text.length <= 4, text)
  t.strictSame(doubts, ['hidden'])
})

t.test('at most 64 characters as people count them', async (t) => {
  t.equal(textOf('x'.repeat(64)), 'x'.repeat(64))
  t.equal(textOf('x'.repeat(65)), `${'x'.repeat(64)}…`)
  t.equal(textOf('👍🏽'.repeat(64)), '👍🏽'.repeat(64))
  t.equal(textOf('👍🏽'.repeat(65)), `${'👍🏽'.repeat(64)}…`)
  t.equal(charactersOf(textOf('ﷺ'.repeat(255)) ?? '').length, 65, 'also of one that stands for eighteen')
  t.ok((textOf(`a${'ᄀ'.repeat(254)}`) ?? '').length <= 65, 'nor is one of them as long as all')
})

t.test(
  'a program that says nothing is called by its User-Agent, unless that is a browser’s or says nothing',
  async (t) => {
    const named: Record<string, string> = {
      'gh/2.40.1': 'gh 2.40.1',
      'gh/2.40.1 (linux; amd64)': 'gh 2.40.1 (Linux)',
      'GitHub CLI 2.40.1': 'GitHub CLI 2.40.1',
      'aws-cli/2.22.0 md/awscrt#0.22.0 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.12.6': 'aws-cli 2.22.0 (Linux)',
      'vercel 39.1.1 node-v20.11.0 linux (x64)': 'vercel 39.1.1 (Linux)',
      'npm/10.2.4 node/v20.11.0 darwin arm64 workspaces/false': 'npm 10.2.4 (macOS)',
      'kubectl/v1.29.0 (windows/amd64) kubernetes/3f7a50f': 'kubectl v1.29.0 (Windows)',
      'openid-client/v6.8.1 (https://github.com/panva/openid-client)': 'openid-client v6.8.1',
      'tool/1.0 (+https://tool.example/linux/windows)': 'tool 1.0',
      'Dalvik/2.1.0 (Linux; U; Android 14)': 'Dalvik 2.1.0 (Android)',
      'app/1.2 CFNetwork/1490 Darwin/23.2.0': 'app 1.2 (macOS)',
      'tool (FreeBSD)': 'tool (BSD)',
      'tool/unreleased (Linux)': 'tool (Linux)',
      [`${'x'.repeat(60)}/1.0`]: `${'x'.repeat(40)} 1.0`
    }
    for (const [header, name] of Object.entries(named)) t.equal(nameFromUserAgent(header), name, header)
    const unnamed = [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
      'Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14',
      ...[
        'node',
        'undici',
        'lightMyRequest',
        '',
        ' ',
        '/1.0',
        '(linux)',
        '"tool"/1.0',
        '<b>tool</b>/1.0',
        '1.0',
        undefined
      ]
    ]
    for (const header of unnamed) t.equal(nameFromUserAgent(header), undefined, String(header))
    fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (header) => (nameFromUserAgent(header) ?? '').length <= 255))
    t.equal(nameFromUserAgent('gh/2.40.1', 'macOS'), 'gh 2.40.1 (macOS)', 'where the platform is known otherwise')
    t.equal(nameFromUserAgent('gh/2.40.1 (linux)', 'macOS'), 'gh 2.40.1 (Linux)', 'its own word counts more')
    for (const header of unnamed) t.equal(nameFromUserAgent(header, 'macOS'), undefined, `${header} on macOS`)
    const platforms: [header: string | undefined, platform: string | undefined][] = [
      ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15', 'macOS'],
      ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Windows'],
      ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36', 'Linux'],
      ['Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36', 'Android'],
      ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148', 'iOS'],
      ['Mozilla/5.0 (compatible; +https://linux.example/)', undefined],
      ['', undefined],
      [undefined, undefined]
    ]
    for (const [header, platform] of platforms) t.equal(platformFromUserAgent(header), platform, String(header))
  }
)
