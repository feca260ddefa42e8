/** The clients that the operator knows: how they authenticate, what they may ask for, and the file that lists them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { readClientsFile } from '../../../src/config/clients-file.js'
import { ConfigError, loadConfig } from '../../../src/config/load-config.js'
import {
  BUILT_IN_TAG,
  builtInClients,
  CLIENT_TYPES,
  type Client,
  DEVICE_CODE_GRANT,
  isBuiltIn,
  tagOf
} from '../../../src/core/clients/client.js'
import { createClients } from '../../../src/core/clients/clients.js'
import { isWithin, readScope, writeScope } from '../../../src/core/clients/scope.js'
import { digestOf } from '../../../src/core/secrets/digest.js'

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400

/** Returns a value in characters that every test reporter can print. */
const titleOf = (value: unknown) =>
  JSON.stringify(value)
    .replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .slice(0, 60)

const clientOf = (id: string, secrets: string[] = []): Client => ({
  id,
  name: undefined,
  type: 'other',
  secretDigests: secrets.map(digestOf),
  grantTypes: [DEVICE_CODE_GRANT],
  redirectUris: [],
  scopes: [],
  optionalScopes: [],
  deviceScopes: undefined,
  resources: [],
  accessTokenTtlSeconds: HOUR_SECONDS,
  authorizationTtlSeconds: DAY_SECONDS,
  tag: tagOf(id)
})

t.test('the registry', async (t) => {
  const clients = [
    ...builtInClients(DAY_SECONDS),
    clientOf('public'),
    clientOf('confidential', ['the secret']),
    clientOf('changing', ['the old secret', 'the new secret'])
  ]
  const registry = createClients(clients)

  t.test('lists all of them in their order, and finds each by its id to the letter', async (t) => {
    t.strictSame(registry.list(), clients)
    for (const client of clients) t.equal(registry.find(client.id), client)
    for (const id of ['', 'Public', 'public ', 'constructor', '__proto__', 'toString', 'nobody']) {
      t.equal(registry.find(id), undefined, JSON.stringify(id))
    }
  })

  const SECRETS = {
    none: undefined,
    empty: '',
    'its own': 'the secret',
    'the old one': 'the old secret',
    'the new one': 'the new secret',
    'its own in another case': 'The secret',
    'its own with a space': 'the secret ',
    'the beginning of its own': 'the secre',
    'the digest of its own': digestOf('the secret'),
    'the digest of nothing': digestOf(''),
    'its id': 'confidential'
  }
  const PROVE: Record<string, (keyof typeof SECRETS)[]> = {
    cli: ['none'],
    'ide-plugin': ['none'],
    public: ['none'],
    confidential: ['its own'],
    changing: ['the old one', 'the new one'],
    nobody: [],
    Confidential: [],
    '': [],
    __proto__: []
  }
  t.test('a client is proven by its own secret, a public one by having none, nobody by anything else', async (t) => {
    let proven = 0
    for (const [id, good] of Object.entries(PROVE)) {
      for (const [name, secret] of Object.entries(SECRETS)) {
        const expected = good.includes(name as keyof typeof SECRETS) ? registry.find(id) : undefined
        t.equal(registry.authenticate(id, secret), expected, `"${id}" with ${name}`)
        if (expected) proven += 1
      }
    }
    t.equal(proven, 6)
  })

  t.test('no other text proves a client that has a secret', async (t) => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(text !== 'the secret')
        return registry.authenticate('confidential', text) === undefined
      })
    )
    t.pass('100 texts')
  })
})

t.test('the built-in clients', async (t) => {
  const clients = builtInClients(1_234)

  t.test('are the five types of program, public, under their own names', async (t) => {
    t.strictSame(
      clients.map(({ id }) => id),
      [...CLIENT_TYPES]
    )
    for (const client of clients) {
      t.match(client, { type: client.id, secretDigests: [], tag: tagOf(client.id) })
      t.equal(client.name, undefined)
      t.strictSame(client.grantTypes, ['authorization_code', DEVICE_CODE_GRANT, 'refresh_token'])
      t.equal(client.redirectUris, 'any-on-loopback')
      t.strictSame(client.scopes, ['openid', 'profile', 'email', 'offline_access'])
      t.strictSame([client.accessTokenTtlSeconds, client.authorizationTtlSeconds], [1_234, 1_234])
    }
  })

  t.test('and no other name is one of theirs', async (t) => {
    for (const id of CLIENT_TYPES) t.ok(isBuiltIn(id), id)
    for (const id of ['CLI', 'cli ', '', 'ide', 'length', 'constructor', '0']) t.notOk(isBuiltIn(id), id)
  })
})

t.test('tags', async (t) => {
  t.test('are six characters, the same every time, and differ between twenty thousand clients', async (t) => {
    const ids = [...CLIENT_TYPES, ...Array.from({ length: 20_000 }, (_, i) => `client-${i}`)]
    const tags = ids.map(tagOf)
    t.ok(tags.every((tag) => /^[\w*-]{6}$/.test(tag)))
    t.equal(new Set(tags).size, ids.length)
    t.strictSame(tags, ids.map(tagOf))
  })

  t.test('of built-in clients begin with a star, and no other does', async (t) => {
    t.equal(BUILT_IN_TAG, '*')
    for (const id of CLIENT_TYPES) t.match(tagOf(id), /^\*[\w-]{5}$/, id)
    fc.assert(
      fc.property(fc.oneof(fc.stringMatching(/^[A-Za-z0-9._~-]{1,64}$/), fc.string()), (id) => {
        return isBuiltIn(id) || /^[\w-]{6}$/.test(tagOf(id))
      }),
      { numRuns: 2_000 }
    )
    for (const id of ['*', '**', 'CLI', 'cli ']) t.match(tagOf(id), /^[\w-]{6}$/, id)
  })
})

t.test('a scope', async (t) => {
  /** RFC 6749 §3.3: %x21 / %x23-5B / %x5D-7E */
  const isAllowed = (code: number) => code >= 0x21 && code <= 0x7e && code !== 0x22 && code !== 0x5c
  const allowed = Array.from({ length: 0x7f }, (_, code) => code)
    .filter(isAllowed)
    .map((code) => String.fromCharCode(code))
  const word = fc.string({ unit: fc.constantFrom(...allowed), minLength: 1, maxLength: 12 })
  const holds = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => boolean) =>
    fc.assert(fc.property(arbitrary, property), { numRuns: 2_000 })

  t.test('is made of the characters of RFC 6749, and of no other', async (t) => {
    t.equal(allowed.length, 92)
    for (let code = 0; code < 0x250; code++) {
      const text = String.fromCharCode(code)
      const expected = code === 0x20 ? [] : isAllowed(code) ? [text] : undefined
      t.strictSame(readScope(text), expected, `U+${code.toString(16)}`)
    }
    for (const text of ['open\u00a0id', 'openid\n', 'a\tb', 'a\u2028b', '\ud800', 'ａ', '🔑']) {
      t.equal(readScope(text), undefined, titleOf(text))
    }
  })

  t.test('any text is read by its words, or not at all', async (t) => {
    const text = fc.string({ unit: fc.oneof(fc.constantFrom(...allowed, ' ', ' '), fc.string({ maxLength: 1 })) })
    holds(text, (text) => {
      const words = text.split(' ').filter((part) => part !== '')
      const isGood =
        words.length <= 50 && words.every((part) => [...part].every((c) => isAllowed(c.codePointAt(0) ?? 0)))
      const read = readScope(text)
      return isGood ? JSON.stringify(read) === JSON.stringify([...new Set(words)]) : read === undefined
    })
    t.pass('2,000 texts')
  })

  t.test('keeps its words in their order, each once, wherever spaces are', async (t) => {
    const spaces = fc.string({ unit: fc.constant(' '), minLength: 1, maxLength: 3 })
    holds(fc.array(fc.tuple(word, spaces), { maxLength: 50 }), (parts) => {
      const read = readScope(`  ${parts.map(([name, gap]) => name + gap).join('')}`)
      return JSON.stringify(read) === JSON.stringify([...new Set(parts.map(([name]) => name))])
    })
    t.strictSame(readScope('b a b c a'), ['b', 'a', 'c'])
    t.strictSame(readScope('__proto__ constructor'), ['__proto__', 'constructor'])
  })

  t.test('is read again as it was written', async (t) => {
    holds(fc.uniqueArray(word, { maxLength: 50 }), (words) => {
      return JSON.stringify(readScope(writeScope(words))) === JSON.stringify(words)
    })
    t.equal(writeScope([]), '')
    t.equal(writeScope(['openid', 'a']), 'openid a')
  })

  t.test('has at most fifty words', async (t) => {
    const words = Array.from({ length: 51 }, (_, i) => `scope-${i}`)
    t.strictSame(readScope(words.slice(1).join(' ')), words.slice(1))
    t.equal(readScope(words.join(' ')), undefined)
    t.equal(readScope(' a'.repeat(100_000)), undefined)
  })

  t.test('that is absent or empty is none', async (t) => {
    for (const text of [undefined, '', ' ', '     ']) t.strictSame(readScope(text), [], JSON.stringify(text))
  })

  t.test('is within another if all its words are', async (t) => {
    holds(fc.tuple(fc.array(word), fc.array(word)), ([some, more]) => {
      const isSo = some.every((one) => more.includes(one))
      return isWithin(some, [...more, ...some]) && isWithin(some, more) === isSo && isWithin([], more)
    })
    t.notOk(isWithin(['a', 'b'], ['a']))
    t.notOk(isWithin(['A'], ['a']))
    t.notOk(isWithin(['open'], ['openid']))
  })
})

t.test('OAUTH_CLIENTS_FILE', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-clients-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'clients.json')
  const read = (content: unknown) => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    return readClientsFile(file, ISSUER)
  }
  /** Returns the faults of a file with these clients. */
  const faultsOf = (...clients: unknown[]) => read({ clients }).faults
  const ISSUER = 'https://grants.example'
  const SECRET_DIGEST = digestOf('a secret of the client')

  t.test('there need not be one', async (t) => {
    t.strictSame(readClientsFile(undefined, ISSUER), { clients: [], overrides: [], resources: [], faults: [] })
    t.strictSame(read({ clients: [] }), { clients: [], overrides: [], resources: [], faults: [] })
  })

  t.test('a client needs no more than an id', async (t) => {
    t.strictSame(read({ clients: [{ client_id: 'acme' }] }), {
      clients: [
        {
          id: 'acme',
          name: undefined,
          type: 'other',
          secretDigests: [],
          grantTypes: [DEVICE_CODE_GRANT, 'refresh_token'],
          redirectUris: [],
          scopes: [],
          optionalScopes: [],
          deviceScopes: undefined,
          resources: [],
          accessTokenTtlSeconds: HOUR_SECONDS,
          authorizationTtlSeconds: 30 * DAY_SECONDS,
          tag: tagOf('acme')
        }
      ],
      resources: [],
      overrides: [],
      faults: []
    })
  })

  t.test('everything that stands in it is read', async (t) => {
    const content = {
      clients: [
        {
          client_id: 'acme.Tool_1~x-y',
          client_name: 'Acme Tool',
          client_type: 'ide-plugin',
          client_secret_digests: [SECRET_DIGEST, digestOf('another')],
          grant_types: [DEVICE_CODE_GRANT],
          scope: 'reports.read openid https://api.example/write',
          optional_scope: 'openid reports.read',
          device_scope: 'openid',
          access_token_ttl_seconds: 300,
          authorization_ttl_seconds: 7 * DAY_SECONDS
        },
        { client_id: 'api', client_secret_digests: [SECRET_DIGEST], grant_types: [] }
      ]
    }
    t.strictSame(read(content), {
      clients: [
        {
          id: 'acme.Tool_1~x-y',
          name: 'Acme Tool',
          type: 'ide-plugin',
          secretDigests: [SECRET_DIGEST, digestOf('another')],
          grantTypes: [DEVICE_CODE_GRANT],
          redirectUris: [],
          scopes: ['reports.read', 'openid', 'https://api.example/write'],
          optionalScopes: ['openid', 'reports.read'],
          deviceScopes: ['openid'],
          resources: [],
          accessTokenTtlSeconds: 300,
          authorizationTtlSeconds: 7 * DAY_SECONDS,
          tag: tagOf('acme.Tool_1~x-y')
        },
        {
          ...{
            id: 'api',
            name: undefined,
            type: 'other',
            secretDigests: [SECRET_DIGEST],
            grantTypes: [],
            redirectUris: [],
            scopes: [],
            optionalScopes: [],
            deviceScopes: undefined,
            resources: []
          },
          ...{ accessTokenTtlSeconds: HOUR_SECONDS, authorizationTtlSeconds: 30 * DAY_SECONDS, tag: tagOf('api') }
        }
      ],
      resources: [],
      overrides: [],
      faults: []
    })
  })

  t.test('a file that cannot be read says why, and one that is not JSON says so', async (t) => {
    t.strictSame(readClientsFile(join(directory, 'none.json'), ISSUER).faults, ['cannot be read: ENOENT'])
    t.strictSame(readClientsFile(directory, ISSUER).faults, ['cannot be read: EISDIR'])
    for (const text of [
      '',
      ' ',
      '{',
      '{"clients":[}',
      "{'clients':[]}",
      '{"clients":[]} more',
      'hunter2',
      '\ufeff{}'
    ]) {
      t.strictSame(
        read(text),
        { clients: [], overrides: [], resources: [], faults: ['is not JSON'] },
        JSON.stringify(text)
      )
    }
  })

  t.test('a file of another shape says what shape it should have', async (t) => {
    for (const content of [null, [], 'text', 5, true, [{ client_id: 'acme' }]]) {
      t.strictSame(read(content === 'text' ? '"text"' : content).faults, [
        'the file: expected an object with clients, resources, or both'
      ])
    }
    t.strictSame(read({}).faults, ['clients: is missing'])
    t.strictSame(
      read({ resources: [] }),
      { clients: [], overrides: [], resources: [], faults: [] },
      'resources for the built-in ones'
    )
    for (const clients of [null, {}, 'acme', 5]) {
      t.strictSame(read({ clients }).faults, ['clients: expected a list of clients'], JSON.stringify(clients))
    }
    t.strictSame(read({ clients: [], client: [] }).faults, ['client: is not known'])
    t.strictSame(faultsOf(null, 'acme', [], { client_id: 'fine' }), [
      'clients[0]: expected an object',
      'clients[1]: expected an object',
      'clients[2]: expected an object'
    ])
    t.strictSame(faultsOf({}), ['clients[0].client_id: is missing'])
    t.strictSame(faultsOf({ client_id: 'a', client_secret: 'hunter2' }, { client_id: 'b', logo_uri: 'x' }), [
      'clients[0].client_secret: is not known',
      'clients[1].logo_uri: is not known'
    ])
  })

  const words = (count: number) => Array.from({ length: count }, (_, i) => `s${i}`).join(' ')
  const digests = (count: number) => Array.from({ length: count }, (_, i) => digestOf(`${i}`))
  const MEMBERS: Record<string, { good: unknown[]; bad: unknown[]; expects: RegExp }> = {
    client_id: {
      good: ['a', 'A.b_c~d-9', 'x'.repeat(64), 'CLI', '.', '__proto__', '0'],
      bad: [5, null, ['a'], '', 'a b', 'a:b', 'a/b', 'a+b', 'a%20', 'é', 'a\n', '{a}', '*', 'x'.repeat(65)],
      expects: /1 to 64 letters, digits/
    },
    client_name: {
      good: ['x', 'Acme', 'Acme Cloud Platform: Zürich', 'Ünïcödé 日本語 🔑', '"quoted" & <b>', 'x'.repeat(64), 'p{C}'],
      bad: [
        5,
        null,
        '',
        ' ',
        ' a',
        'a ',
        'a\u2028b',
        'a\nb',
        'a\u0007b',
        '\u0000',
        'a\u202eb',
        '\u200b',
        'x'.repeat(65)
      ],
      expects: /at most 64 characters, all of them visible/
    },
    client_type: {
      good: [...CLIENT_TYPES],
      bad: [5, null, '', 'CLI', 'web', ['cli']],
      expects: /one of cli, mcp, demo, ide-plugin, other/
    },
    client_secret_digests: {
      good: [digests(1), digests(5)],
      bad: [
        ...[5, null, {}, [], digests(1)[0], digests(6), [...digests(1), ...digests(1)]],
        ...[['short'], [5], [null], [`${digests(1)[0]}=`], [digests(1)[0]?.replace(/.$/, '+')], [...digests(2), 'x']]
      ],
      expects: /1 to 5 digests|a digest as "npm run grantd -- clients secret" makes it/
    },
    grant_types: {
      good: [[DEVICE_CODE_GRANT], [DEVICE_CODE_GRANT, 'refresh_token'], ['refresh_token', DEVICE_CODE_GRANT]],
      bad: [
        ...[5, null, {}, 'refresh_token', ['password'], [5], [null], ['device_code']],
        ...[
          [DEVICE_CODE_GRANT, DEVICE_CODE_GRANT],
          [DEVICE_CODE_GRANT, 'implicit']
        ]
      ],
      expects:
        /a list of grant types|one of authorization_code, urn:ietf:params:oauth:grant-type:device_code, refresh_token/
    },
    redirect_uris: {
      good: [
        ...[
          ['https://a.example/'],
          ['http://127.0.0.1/x', 'http://[::1]/', 'http://localhost'],
          ['com.example.app:/x']
        ],
        [`https://a.example/${'x'.repeat(1_006)}`]
      ],
      bad: [
        ...[5, null, {}, 'https://a.example/', [5], [null], ['https://a.example/', 'https://a.example/']],
        ...[[`https://a.example/${'x'.repeat(1_007)}`], Array.from({ length: 21 }, (_, i) => `https://a.example/${i}`)],
        ...['', 'a', '/x', 'http://a.example/', 'https://a.example/#x', 'https://u@a.example/', 'https://a.example/ü'],
        ...[
          'javascript:alert(1)',
          'data:text/html,x',
          'app:/x',
          'com.example.app://x',
          'https://',
          'http://127.0.0.2/'
        ],
        ...[
          'file:///x',
          'http://localhost.example/',
          'https://a.example/\\x',
          'https://a.example/ x',
          'HTTPS://a.example/'
        ]
      ].map((one) => (typeof one === 'string' && one !== 'https://a.example/' ? [one] : one)),
      expects: /a list of at most 20 URIs|a URI without fragment|an https URI, http on loopback, or a scheme such as/
    },
    scope: {
      good: ['', 'a', 'openid offline_access', words(50), '!#[]^~', 'a a'],
      bad: [5, null, ['a'], ' ', ' a', 'a ', 'a  b', 'a\tb', 'a"b', 'a\\b', 'é', words(51), 'x'.repeat(1025)],
      expects: /at most 50 words of RFC 6749/
    },
    optional_scope: {
      good: [''],
      bad: [5, null, ['a'], ' ', 'a  b', 'a"b', words(51)],
      expects: /at most 50 words of RFC 6749/
    },
    device_scope: {
      good: [''],
      bad: [5, null, ['a'], ' ', 'a  b', 'a"b', words(51)],
      expects: /at most 50 words of RFC 6749/
    },
    access_token_ttl_seconds: {
      good: [60, 3_600, 30 * DAY_SECONDS],
      bad: ['60', null, 59, 60.5, -1, 0, 30 * DAY_SECONDS + 1, 1e300],
      expects: /a whole number of seconds from 60 to 2592000/
    },
    authorization_ttl_seconds: {
      good: [3_600, 366 * DAY_SECONDS],
      bad: ['60', null, 59, 60.5, -1, 0, 366 * DAY_SECONDS + 1, 1e300],
      expects: /a whole number of seconds from 60 to 31622400/
    }
  }
  for (const [name, { good, bad, expects }] of Object.entries(MEMBERS)) {
    t.test(`${name} is what it should be, and what is wrong with it is told with its place`, async (t) => {
      for (const value of good) t.strictSame(faultsOf({ client_id: 'acme', [name]: value }), [], titleOf(value))
      for (const value of bad) {
        const title = titleOf(value)
        const faults = faultsOf({ client_id: 'fine' }, { client_id: 'acme', [name]: value })
        t.ok(faults.length > 0, `refused: ${title}`)
        for (const line of faults) {
          t.match(line, new RegExp(`^clients\\[1\\]\\.${name}(\\[\\d\\])?: expected `), title)
          t.match(line, expects, title)
        }
      }
    })
  }

  t.test('a built-in client cannot be replaced', async (t) => {
    const clients = CLIENT_TYPES.map((client_id) => ({ client_id }))
    t.strictSame(
      faultsOf(...clients),
      CLIENT_TYPES.map(
        (_, i) => `clients[${i}].client_id: is the name of a built-in client, say "built_in": true to change that one`
      )
    )
  })

  t.test('no client is there twice', async (t) => {
    const ids = ['a', 'b', 'a', 'c', 'b', 'a', 'A']
    t.strictSame(faultsOf(...ids.map((client_id) => ({ client_id }))), [
      'clients[2].client_id: is there twice',
      'clients[4].client_id: is there twice',
      'clients[5].client_id: is there twice'
    ])
  })

  t.test('clients that a grant could not tell apart are refused', async (t) => {
    const [one, two] = ['client-338302', 'client-867212']
    t.equal(tagOf(one), tagOf(two), 'these two share a tag')
    const [fault = '', ...more] = faultsOf({ client_id: one }, { client_id: 'another' }, { client_id: two })
    t.match(fault, /^clients\[2\]\.client_id: .*choose another/)
    t.strictSame(more, [])
  })

  t.test('what does not go together is told', async (t) => {
    const acme = (parts: object) => faultsOf({ client_id: 'acme', ...parts })
    const only = (t: Test, faults: string[], expected: RegExp) => {
      t.equal(faults.length, 1)
      t.match(faults[0], expected)
    }
    const offline = { scope: 'openid offline_access', grant_types: [DEVICE_CODE_GRANT] }
    only(t, acme(offline), /^clients\[0\]\.scope: offline_access needs refresh_token/)
    t.strictSame(acme({ ...offline, scope: 'offline_access_2' }), [], 'the word alone counts')
    t.strictSame(acme({ scope: 'offline_access' }), [], 'by default there is one')
    only(t, acme({ grant_types: ['refresh_token'] }), /^clients\[0\]\.grant_types: refresh_token needs .*device_code/)
    const redirect_uris = ['https://a.example/']
    t.strictSame(acme({ redirect_uris, grant_types: ['authorization_code'] }), [])
    t.strictSame(read({ clients: [{ client_id: 'acme', redirect_uris }] }).clients[0]?.grantTypes, [
      ...['authorization_code', DEVICE_CODE_GRANT, 'refresh_token']
    ])
    only(t, acme({ grant_types: ['authorization_code'] }), /^clients\[0\]\.redirect_uris: go with authorization_code/)
    only(t, acme({ redirect_uris, grant_types: [DEVICE_CODE_GRANT] }), /^clients\[0\]\.redirect_uris: go with/)
    only(t, acme({ grant_types: [] }), /^clients\[0\]\.grant_types: without any.*client_secret_digests/)
    t.strictSame(acme({ grant_types: [], client_secret_digests: [SECRET_DIGEST] }), [])
    const times = { access_token_ttl_seconds: 3_601, authorization_ttl_seconds: 3_600 }
    only(t, acme(times), /^clients\[0\]\.access_token_ttl_seconds: is longer than authorization_ttl_seconds/)
    t.strictSame(acme({ ...times, access_token_ttl_seconds: 3_600 }), [], 'as long is not longer')
    only(t, acme({ authorization_ttl_seconds: 3_599 }), /^clients\[0\]\.access_token_ttl_seconds: is longer/)
    t.strictSame(acme({ access_token_ttl_seconds: 30 * DAY_SECONDS }), [], 'as long as the authorization by default')
    const foreign = /^clients\[0\]\.optional_scope: has a scope that is neither the client's nor of a resource/
    t.strictSame(acme({ scope: 'a b', optional_scope: 'b' }), [])
    only(t, acme({ scope: 'a b', optional_scope: 'b c' }), foreign)
    only(t, acme({ optional_scope: 'a' }), foreign)
    const resources = [
      { identifier: 'https://one.example', name: 'One', scope: 'c' },
      { identifier: 'https://two.example', name: 'Two', scope: 'd' }
    ]
    const withOne = (optional_scope: string) =>
      read({ clients: [{ client_id: 'acme', resources: ['https://one.example'], optional_scope }], resources }).faults
    t.strictSame(withOne('c'), [], 'of a resource of its own')
    only(t, withOne('c d'), foreign)
    t.strictSame(acme({ scope: 'a b', device_scope: 'b' }), [])
    only(t, acme({ scope: 'a b', device_scope: 'b c' }), /^clients\[0\]\.device_scope: has a scope that is neither/)
    const nowhere = { redirect_uris, grant_types: ['authorization_code'], scope: 'a', device_scope: 'a' }
    only(t, acme(nowhere), /^clients\[0\]\.device_scope: needs .*device_code among grant_types/)
  })

  t.test('everything that is wrong is told at once', async (t) => {
    const shape = faultsOf(
      { client_id: 'a b', client_name: '', nothing: 1 },
      { client_id: 'fine' },
      { client_id: 'acme', scope: 5, access_token_ttl_seconds: 1 }
    )
    t.strictSame(shape.map((line) => line.split(':')[0]).sort(), [
      'clients[0].client_id',
      'clients[0].client_name',
      'clients[0].nothing',
      'clients[2].access_token_ttl_seconds',
      'clients[2].scope'
    ])
    const rules = faultsOf(
      { client_id: 'cli', scope: 'offline_access', grant_types: [DEVICE_CODE_GRANT] },
      { client_id: 'acme', grant_types: ['refresh_token'], authorization_ttl_seconds: 60 },
      { client_id: 'acme', grant_types: [] }
    )
    t.strictSame(
      rules.map((line) => line.split(':')[0]),
      [
        ...['clients[0].client_id', 'clients[0].scope', 'clients[1].grant_types'],
        ...['clients[1].access_token_ttl_seconds', 'clients[2].client_id', 'clients[2].grant_types']
      ]
    )
    const many = faultsOf(...Array.from({ length: 200 }, () => ({ client_id: '' })))
    t.equal(many.length, 50, 'but not without end')
  })

  t.test('a file with a fault gives no client whose entry is in doubt', async (t) => {
    t.strictSame(read({ clients: [{ client_id: 'fine' }, { client_id: '' }] }).clients, [])
  })

  t.test('no fault tells a value', async (t) => {
    const hidden = 'hunter2 hunter2'
    const clients = [
      ...Object.keys(MEMBERS).map((name) => ({ client_id: 'acme', [name]: hidden })),
      ...Object.keys(MEMBERS).map((name) => ({ client_id: 'acme', [name]: [hidden] })),
      { client_id: 'acme', client_secret: hidden },
      hidden,
      [hidden]
    ]
    const faults = [...faultsOf(...clients), ...read(`{"clients":[{"client_id":"${hidden}"`).faults]
    t.ok(faults.length > 15)
    for (const line of faults) {
      t.notMatch(line, 'hunter2')
      t.equal(line.split('\n').length, 1, 'one line each')
    }
  })

  t.test('a fault in it stops the start, beside all others', async (t) => {
    const told = (variables: Record<string, string>) => {
      try {
        loadConfig(variables)
        return []
      } catch (error) {
        if (error instanceof ConfigError) return error.faults
        throw error
      }
    }
    writeFileSync(file, JSON.stringify({ clients: [{ client_id: 'a' }, { client_id: 'cli' }, { client_id: 'a' }] }))
    t.strictSame(told({ OAUTH_CLIENTS_FILE: file, PORT: 'x' }), [
      'PORT: expected a whole number from 0 to 65535',
      'OAUTH_CLIENTS_FILE: clients[1].client_id: is the name of a built-in client, say "built_in": true to change that one',
      'OAUTH_CLIENTS_FILE: clients[2].client_id: is there twice'
    ])
    t.strictSame(told({ OAUTH_CLIENTS_FILE: join(directory, 'none.json') }), [
      'OAUTH_CLIENTS_FILE: cannot be read: ENOENT'
    ])
    t.throws(() => loadConfig({ OAUTH_CLIENTS_FILE: directory }), { message: /OAUTH_CLIENTS_FILE: cannot be read/ })
  })

  t.test('its clients come after the built-in ones', async (t) => {
    writeFileSync(file, JSON.stringify({ clients: [{ client_id: 'b' }, { client_id: 'a', scope: 'openid' }] }))
    const { clients } = loadConfig({ OAUTH_CLIENTS_FILE: file, CLIENT_TOKEN_TTL_SECONDS: '600' })
    t.strictSame(
      clients.map(({ id }) => id),
      [...CLIENT_TYPES, 'b', 'a']
    )
    t.strictSame(clients.slice(0, 5), builtInClients(600), 'which live as long as client JWTs')
    t.match(clients[6], { scopes: ['openid'], accessTokenTtlSeconds: HOUR_SECONDS })
    t.throws(() => Object.assign(clients[6] as object, { id: 'other' }), TypeError, 'and nobody changes them')
    t.throws(() => Object.assign(clients[6]?.scopes ?? {}, { 0: 'admin' }), TypeError)
  })
})
