/** The command line of the program: what it understands, and what it says to what it does not. */
import t from 'tap'
import { isUsageError, readCommandLine } from '../../src/cli/arguments.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { facts, plain, readLimit, table, when } from '../../src/cli/print.js'
import { USAGE } from '../../src/cli/usage.js'

const read = (line: string) => readCommandLine(line.split(' ').filter((word) => word !== ''))

function refusal(line: string): string {
  try {
    read(line)
  } catch (error) {
    if (isUsageError(error)) return error.message
    throw error
  }
  throw new Error(`understood: ${line}`)
}

t.test('every command is understood with all of its options, and is in the usage', async (t) => {
  for (const [name, { takes, options }] of Object.entries(COMMANDS)) {
    const given = Object.entries(options).map(([option, value]) => (value === '' ? `--${option}` : `--${option}=x`))
    const line = read([name, ...takes.map((_, i) => `argument-${i}`), ...given].join(' '))
    t.equal(options.json, '', `${name} has a form for programs`)
    t.match(line, { kind: 'command', name, rest: takes.map((_, i) => `argument-${i}`) })
    if (line.kind === 'command') t.strictSame(Object.keys(line.options).sort(), Object.keys(options).sort(), name)
    t.ok(USAGE.includes(`grantd ${[name, ...takes].join(' ')}`), name)
    for (const help of ['--help', '-h']) {
      const { usage } = read(`${name} ${help}`) as { usage: string }
      t.match(usage, new RegExp(`^usage: grantd ${name}`))
      t.notOk(usage.includes('grantd serve'), 'of that command alone')
    }
    t.strictSame(read(`${name} --version`), { kind: 'version' })
  }
  t.ok(Object.keys(COMMANDS).length >= 19)
  t.strictSame(read('serve'), { kind: 'serve' })
  t.strictSame(read('--version'), { kind: 'version' })
  for (const line of ['--help', '-h', 'serve --help', 'nonsense --help'])
    t.equal((read(line) as { usage: string }).usage, USAGE)
  for (const text of USAGE.split('\n')) t.ok(text.length <= 120, text)
})

t.test('what is not understood is told with the nearest usage', async (t) => {
  t.equal(refusal(''), USAGE)
  t.match(refusal('frobnicate'), /^there is no command frobnicate\n\nusage: grantd serve/)
  for (const line of ['users', 'users blok ann', 'uesrs find', 'user block ann', 'users find all of them']) {
    const said = refusal(line)
    t.match(said, /usage: grantd users find/, line)
    t.notOk(said.includes('grantd keys'), 'of no other commands')
  }
  t.match(refusal('users block'), /^users block takes ID\n\nusage: grantd users block ID/)
  t.match(refusal('api-keys revoke acme'), /^api-keys revoke takes ACCOUNT and ID\n/)
  t.match(refusal('users block ann bob'), /^users block takes ID\n/)
  t.match(refusal('users find --mail x'), /^Unknown option '--mail'[\s\S]+usage: grantd users find/)
  t.match(refusal('users find --email'), /argument missing[\s\S]+usage: grantd users find/)
  t.match(refusal('keys list --now'), /^Unknown option '--now'/, 'an option of another command')
  t.match(refusal('serve --port 4'), /^serve takes no arguments/)
  t.match(refusal('__proto__ x'), /^there is no command/)
  t.match(refusal('constructor'), /^there is no command/)
})

t.test('an argument may begin with a hyphen behind two of them', async (t) => {
  t.match(read('api-keys revoke acme -- -abc'), { kind: 'command', name: 'api-keys revoke', rest: ['acme', '-abc'] })
})

t.test('what is printed is aligned, and a terminal obeys nothing of it', async (t) => {
  t.equal(plain('a\u001b[2Jb\u202e\u2028\n\u0000 ü 日本'), 'a\\u{1b}[2Jb\\u{202e}\\u{2028}\\u{a}\\u{0} ü 日本')
  t.strictSame(
    table(
      ['A', 'LONGER', 'LAST'],
      [
        ['12', '3', 'x\ny'],
        ['1', '', '']
      ]
    ),
    ['A   LONGER  LAST', '12  3       x\\u{a}y', '1           ']
  )
  t.strictSame(facts({ a: '1', longer: undefined, bcd: 'x\u0007' }), ['a    1', 'bcd  x\\u{7}'])
  t.strictSame([when('2026-01-02T03:04:05.678Z'), when(null), when(undefined)], ['2026-01-02 03:04:05', '-', '-'])
  t.strictSame([readLimit('7', 1), readLimit(undefined, 1)], [7, 1])
  for (const text of ['0', '-1', 'x', '', '1.5', true]) t.throws(() => readLimit(text, 1), { message: /^--limit: / })
})
