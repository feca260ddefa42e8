/** What a program says about itself, as it is shown to the user who decides. */
import fc from 'fast-check'
import t from 'tap'
import { readClaim } from '../../../src/core/grants/self-description.js'

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
const plainParts = [...'aZ9é中ض日क़한ᄀ가ﷺﬃ½℃Ａ𝐆Ⓖ🚀👍🏽🇵🇹а', '\ud83d', '\ude80', 'क्ष', '…', '\ufffd']
const oddText = fc.array(fc.constantFrom(...oddParts, ...plainParts), { maxLength: 200 }).map((parts) => parts.join(''))
const anyText = fc.oneof(
  anyUnits,
  oddText,
  fc.string({ unit: 'binary', maxLength: 300 }),
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
      fc.property(anyText, (claim) => !NEVER_SHOWN.test(textOf(claim) ?? '')),
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
