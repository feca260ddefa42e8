import fc from 'fast-check'
import t from 'tap'
import { digestOf, isSame } from '../../../src/core/secrets/digest.js'
import { createKeyring } from '../../../src/core/secrets/keyring.js'
import { anyCharacter } from '../../support/any-character.js'

const OLD = 'an old secret of more than 32 characters'
const NEW = 'a new secret of more than 32 characters!'
const keyring = createKeyring([NEW])
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

t.test('what is sealed', async (t) => {
  t.test('opens again as it was, whatever it is', async (t) => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.string(),
        fc.string(),
        (text, purpose, record) => {
          return keyring.open(purpose, record, keyring.seal(purpose, record, text)) === text
        }
      ),
      { numRuns: 500 }
    )
    const long = 'ü'.repeat(100_000)
    t.equal(keyring.open('p', 'r', keyring.seal('p', 'r', long)), long)
    t.equal(keyring.open('p', 'r', keyring.seal('p', 'r', '')), '')
  })

  t.test('never looks the same twice and shows nothing of what it holds', async (t) => {
    const sealed = Array.from({ length: 1_000 }, () => keyring.seal('p', 'r', 'the contents'))
    t.equal(new Set(sealed).size, 1_000)
    t.equal(new Set(sealed.map((text) => text.split('.')[2])).size, 1_000, 'no nonce is used twice')
    for (const hidden of ['the contents', NEW, Buffer.from('the contents').toString('base64url')]) {
      t.notOk(sealed.some((text) => text.includes(hidden)))
    }
  })

  t.test('opens for the same record and the same purpose alone', async (t) => {
    const sealed = keyring.seal('signing-key', 'record 1', 'text')
    t.equal(keyring.open('signing-key', 'record 1', sealed), 'text')
    t.throws(() => keyring.open('signing-key', 'record 2', sealed))
    t.throws(() => keyring.open('signing-key', '', sealed))
    t.throws(() => keyring.open('upstream-token', 'record 1', sealed))
    t.throws(() => keyring.open('signing-key record', '1', sealed), 'where one ends and the other begins is no matter')
  })

  t.test('does not open when any byte of it was changed', async (t) => {
    const sealed = keyring.seal('p', 'r', 'the contents')
    const [version = '', id = '', nonce = '', body = ''] = sealed.split('.')
    const flipped = (part: string) => {
      const bytes = Buffer.from(part, 'base64url')
      return Array.from(bytes, (byte, i) => {
        const changed = Buffer.from(bytes)
        changed[i] = byte ^ (1 << (i % 8))
        return changed.toString('base64url')
      })
    }
    const changed = [
      ...flipped(nonce).map((other) => [version, id, other, body].join('.')),
      ...flipped(body).map((other) => [version, id, nonce, other].join('.')),
      ...flipped(id).map((other) => [version, other, nonce, body].join('.')),
      ...['v0', 'v2', '', 'V1'].map((other) => [other, id, nonce, body].join('.'))
    ]
    t.ok(changed.length > 40)
    for (const text of changed) t.throws(() => keyring.open('p', 'r', text), text)
  })

  t.test('does not open when it was cut anywhere', async (t) => {
    for (const contents of ['the contents', 'x', '']) {
      const sealed = keyring.seal('p', 'r', contents)
      const [version = '', id = '', nonce = '', body = ''] = sealed.split('.')
      const bytes = Buffer.from(body, 'base64url')
      for (let length = 0; length < bytes.length; length++) {
        const start = [version, id, nonce, bytes.subarray(0, length).toString('base64url')].join('.')
        const end = [version, id, nonce, bytes.subarray(bytes.length - length).toString('base64url')].join('.')
        t.throws(() => keyring.open('p', 'r', start), `the first ${length} bytes of ${bytes.length}`)
        t.throws(() => keyring.open('p', 'r', end), `the last ${length} bytes of ${bytes.length}`)
      }
      t.throws(() => keyring.open('p', 'r', [version, id, nonce.slice(0, 8), body].join('.')), 'half a nonce')
      t.throws(() => keyring.open('p', 'r', [version, id, '', body].join('.')), 'no nonce')
    }
    for (const text of ['', '.', '...', 'v1', 'v1.', `v1.${'A'.repeat(8)}..`, 'not sealed at all']) {
      t.throws(() => keyring.open('p', 'r', text), JSON.stringify(text))
    }
  })

  t.test('does not open when it is written in another way', async (t) => {
    for (const contents of ['', 'x', 'xy', 'xyz']) {
      const sealed = keyring.seal('p', 'r', contents)
      const [version = '', id = '', nonce = '', body = ''] = sealed.split('.')
      t.equal(keyring.open('p', 'r', sealed), contents)
      for (const more of ['A', 'w', '=', '==', '+', ' ', '\n', '\0', '!', 'ü', '%']) {
        t.throws(
          () => keyring.open('p', 'r', `${sealed}${more}`),
          `${JSON.stringify(more)} after ${contents.length} bytes`
        )
        t.throws(() => keyring.open('p', 'r', [version, id, `${nonce}${more}`, body].join('.')), 'or after the nonce')
        t.throws(() => keyring.open('p', 'r', [version, id, nonce, `${more}${body}`].join('.')), 'or before it')
      }
      // The last character may have bits that belong to no byte.
      const bytes = Buffer.from(body, 'base64url')
      const others = [...BASE64URL].map((last) => body.slice(0, -1) + last).filter((other) => other !== body)
      const same = others.filter((other) => Buffer.from(other, 'base64url').equals(bytes))
      t.equal(same.length, [0, 15, 3][bytes.length % 3])
      for (const other of same) t.throws(() => keyring.open('p', 'r', [version, id, nonce, other].join('.')), other)
    }
  })

  t.test('does not open under a secret it was not sealed under, and the error tells no secret', async (t) => {
    const sealed = createKeyring([OLD]).seal('p', 'r', 'text')
    t.throws(() => keyring.open('p', 'r', sealed), /GRANTD_SECRET does not hold/)
    try {
      keyring.open('p', 'r', sealed)
    } catch (error) {
      t.notOk(`${error}${(error as Error).stack}`.includes(NEW))
    }
    const [, , nonce, body] = sealed.split('.')
    const [version, id] = keyring.seal('p', 'r', 'text').split('.')
    t.throws(
      () => keyring.open('p', 'r', [version, id, nonce, body].join('.')),
      'nor when it is said to be under this one'
    )
  })
})

t.test('rotating the secret', async (t) => {
  const before = createKeyring([OLD])
  const during = createKeyring([NEW, OLD])
  const after = createKeyring([NEW])

  t.test('what was sealed under the old one opens while it is second in the list', async (t) => {
    const sealed = before.seal('p', 'r', 'text')
    t.equal(during.open('p', 'r', sealed), 'text')
    t.throws(() => after.open('p', 'r', sealed))
  })

  t.test('what is sealed meanwhile needs the new one alone', async (t) => {
    const sealed = during.seal('p', 'r', 'text')
    t.equal(after.open('p', 'r', sealed), 'text')
    t.throws(() => before.open('p', 'r', sealed))
  })

  t.test('tags come one for each secret, the newest first', async (t) => {
    t.same(during.tags('user-code', 'BCDFGHJK'), [
      ...after.tags('user-code', 'BCDFGHJK'),
      ...before.tags('user-code', 'BCDFGHJK')
    ])
    t.equal(during.tags('user-code', 'BCDFGHJK').length, 2)
  })
})

t.test('tags', async (t) => {
  const tag = (purpose: string, value: string) => keyring.tags(purpose, value)[0]
  t.match(tag('user-code', 'BCDFGHJK'), /^[\w-]{24}$/)
  t.equal(
    tag('user-code', 'BCDFGHJK'),
    createKeyring([NEW]).tags('user-code', 'BCDFGHJK')[0],
    'are the same in every process'
  )
  t.not(tag('user-code', 'BCDFGHJK'), tag('user-code', 'BCDFGHJL'), 'differ by value')
  t.not(tag('user-code', 'BCDFGHJK'), tag('other', 'BCDFGHJK'), 'differ by purpose')
  t.not(tag('user-code', 'BCDFGHJK'), createKeyring([OLD]).tags('user-code', 'BCDFGHJK')[0], 'differ by secret')
  t.not(tag('user-code', 'BCDFGHJK'), digestOf('BCDFGHJK').slice(0, 24), 'are no plain digest')
  const values = Array.from({ length: 10_000 }, (_, i) => tag('user-code', `${i}`))
  t.equal(new Set(values).size, 10_000, 'do not collide')
})

t.test('derived secrets', async (t) => {
  const derive = (purpose: string, value: string) => keyring.derive(purpose, value)[0] as string
  t.match(derive('refresh-token', 'x'), /^[\w-]{43}$/)
  t.equal(derive('p', 'x'), createKeyring([NEW]).derive('p', 'x')[0], 'are the same in every process')
  t.not(derive('p', 'x'), derive('p', 'y'), 'differ by value')
  t.not(derive('p', 'x'), derive('q', 'x'), 'differ by purpose')
  t.not(derive('p', 'x'), createKeyring([OLD]).derive('p', 'x')[0], 'differ by secret')
  t.not(derive('p', 'x').slice(0, 24), keyring.tags('p', 'x')[0], 'are no tags')
  t.not(derive('p', 'x'), digestOf('x'), 'and no digests')
  t.same(createKeyring([NEW, OLD]).derive('p', 'x'), [derive('p', 'x'), ...createKeyring([OLD]).derive('p', 'x')])
  t.equal(new Set(Array.from({ length: 10_000 }, (_, i) => derive('p', `${i}`))).size, 10_000, 'do not collide')
})

t.test('digests', async (t) => {
  t.equal(digestOf('abc'), 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0', 'are SHA-256 (FIPS 180-4) in base64url')
  t.equal(digestOf('ü'), digestOf(Buffer.from('ü').toString('utf8')), 'of UTF-8')
  t.match(digestOf(''), /^[\w-]{43}$/)
  t.equal(new Set(Array.from({ length: 10_000 }, (_, i) => digestOf(`${i}`))).size, 10_000)
})

t.test('two texts are the same to the last bit, or they are not', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), fc.string({ unit: anyCharacter }), (one, other) => {
      return isSame(one, one) && isSame(one, other) === (one === other) && !isSame(one, `${one}x`)
    })
  )
  const digest = digestOf('x')
  for (let i = 0; i < digest.length; i++) {
    const changed = digest.slice(0, i) + (digest[i] === 'a' ? 'b' : 'a') + digest.slice(i + 1)
    if (isSame(digest, changed)) t.fail(`character ${i} does not matter`)
  }
  for (const other of ['', digest.slice(1), digest.toLowerCase(), ` ${digest}`]) t.notOk(isSame(digest, other))
  t.ok(isSame('', ''))
})
