/** Held polls on one instance: which polls may wait, what ends a wait, and how a client asks for one. */
import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { DecisionFeed, DecisionListener } from '../../../src/core/grants/grant-store.js'
import { createHeldPolls, type HeldPoll, LONGEST_WAIT_SECONDS } from '../../../src/core/grants/held-polls.js'
import { readWaitSeconds } from '../../../src/routes/poll.js'
import { effortOf } from '../../support/effort.js'

/** No wait in these tests lasts this long, so a wait that ends has ended for its own reason. */
const LONG_MS = 60_000

/** Makes held polls over a decision feed that the test controls. */
function setUp(t: Pick<Test, 'teardown'>, most = 100) {
  const listeners: DecisionListener[] = []
  let isUp = true
  const feed: DecisionFeed = { isUp: () => isUp, listen: (listener) => void listeners.push(listener) }
  const polls = createHeldPolls(feed, most)
  t.teardown(polls.stop)
  return {
    polls,
    decide: (grant: string) => {
      for (const { decided } of listeners) decided(grant)
    },
    resume: () => {
      for (const { resumed } of listeners) resumed()
    },
    switchFeed: (value: boolean) => {
      isUp = value
    },
    /** Enters a wait for a grant, with the controller by which its caller can leave. */
    enter: (grant: string, gone = new AbortController()) => ({ place: polls.enter(grant, gone.signal), gone })
  }
}

function there(place: HeldPoll | undefined): HeldPoll {
  if (!place) throw new Error('there was no place')
  return place
}

/** Returns the outcome of a wait that has ended; otherwise 'waits'. */
async function stateOf(wait: Promise<string>): Promise<string> {
  return Promise.race([wait, new Promise<string>((resolve) => setImmediate(() => resolve('waits')))])
}

t.test('places', async (t) => {
  t.test('there are as many as were given, over all grants, and one that is left is free again', async (t) => {
    const { polls, enter } = setUp(t, 3)
    t.equal(polls.count(), 0)
    const places = ['a', 'b', 'c'].map((grant) => enter(grant).place)
    t.notOk(places.includes(undefined))
    t.equal(polls.count(), 3)
    t.equal(enter('d').place, undefined)
    t.equal(polls.count(), 3, 'who did not get in does not count')
    there(places[1]).leave()
    t.equal(polls.count(), 2)
    t.ok(enter('d').place)
    t.equal(enter('e').place, undefined)
  })

  t.test('there are two for each grant', async (t) => {
    const { polls, enter } = setUp(t)
    const [one, two] = [enter('a').place, enter('a').place]
    t.ok(one && two)
    t.equal(enter('a').place, undefined)
    t.ok(enter('b').place, 'of another grant there are others')
    there(one).leave()
    t.ok(enter('a').place, 'one that was left is free again')
    t.equal(enter('a').place, undefined)
    t.equal(polls.count(), 3)
  })

  t.test('to leave twice gives back one place', async (t) => {
    const { polls, enter } = setUp(t, 2)
    const { place } = enter('a')
    enter('a')
    there(place).leave()
    there(place).leave()
    t.equal(polls.count(), 1)
    t.ok(enter('b').place)
    t.equal(enter('c').place, undefined)
  })

  t.test('when the last one has left, who comes next is heard of all the same', async (t) => {
    const { enter, decide } = setUp(t)
    there(enter('a').place).leave()
    const wait = there(enter('a').place).wait(LONG_MS)
    decide('a')
    t.equal(await wait, 'decided')
  })

  t.test('there are none where there is room for none', async (t) => {
    const { polls, enter } = setUp(t, 0)
    t.equal(enter('a').place, undefined)
    t.equal(polls.count(), 0)
  })

  t.test('there are none while nothing would be heard', async (t) => {
    const { polls, enter, switchFeed } = setUp(t)
    switchFeed(false)
    t.equal(enter('a').place, undefined)
    t.equal(polls.count(), 0)
    switchFeed(true)
    t.ok(enter('a').place)
  })

  t.test('there are none for who has gone already', async (t) => {
    const { polls, enter } = setUp(t)
    const gone = new AbortController()
    gone.abort()
    t.equal(enter('a', gone).place, undefined)
    t.equal(polls.count(), 0)
  })

  t.test('there are none once the instance stops', async (t) => {
    const { polls, enter } = setUp(t)
    const { place } = enter('a')
    polls.stop()
    t.equal(enter('b').place, undefined)
    t.equal(polls.count(), 1, 'who is in leaves by itself')
    there(place).leave()
    t.equal(polls.count(), 0)
    t.equal(enter('b').place, undefined, 'not even then')
  })

  t.test('who leaves leaves nothing behind', async (t) => {
    const { polls, enter, decide } = setUp(t)
    for (let i = 0; i < 1_000; i++) {
      const { place, gone } = enter(`grant ${i % 10}`)
      const wait = there(place).wait(LONG_MS)
      decide(`grant ${i % 10}`)
      if ((await wait) !== 'decided') t.fail(`round ${i}: not told`)
      there(place).leave()
      if (getEventListeners(gone.signal, 'abort').length > 0) t.fail(`round ${i}: still listened to`)
    }
    t.equal(polls.count(), 0)
  })
})

t.test('a wait', async (t) => {
  t.test('ends with the decision of its grant, for everybody who waits for it, and for nobody else', async (t) => {
    const { enter, decide } = setUp(t)
    const waits = ['a', 'a', 'b'].map((grant) => there(enter(grant).place).wait(LONG_MS))
    decide('c')
    decide('ab')
    t.strictSame(await Promise.all(waits.map(stateOf)), ['waits', 'waits', 'waits'])
    decide('a')
    t.strictSame(await Promise.all(waits.map(stateOf)), ['decided', 'decided', 'waits'])
  })

  t.test('ends when its time is up', async (t) => {
    const { enter } = setUp(t)
    const startedAt = performance.now()
    t.equal(await there(enter('a').place).wait(50), 'over')
    t.ok(performance.now() - startedAt >= 45, 'and not before')
    t.equal(await there(enter('b').place).wait(0), 'over', 'at once if it has none')
  })

  t.test('ends when its caller has gone', async (t) => {
    const { enter, polls } = setUp(t)
    const [{ place, gone }, { place: other }] = [enter('a'), enter('a')]
    const [wait, otherWait] = [there(place).wait(LONG_MS), there(other).wait(LONG_MS)]
    gone.abort()
    t.equal(await wait, 'gone')
    t.equal(await stateOf(otherWait), 'waits', 'which is no matter of the neighbour')
    t.equal(polls.count(), 2, 'the place is given back by whoever took it')
  })

  t.test('ends when something may have been missed', async (t) => {
    const { enter, resume } = setUp(t)
    const waits = ['a', 'b'].map((grant) => there(enter(grant).place).wait(LONG_MS))
    resume()
    t.strictSame(await Promise.all(waits), ['missed', 'missed'])
  })

  t.test('ends when the instance stops', async (t) => {
    const { polls, enter } = setUp(t)
    const waits = ['a', 'b'].map((grant) => there(enter(grant).place).wait(LONG_MS))
    polls.stop()
    t.strictSame(await Promise.all(waits), ['stopping', 'stopping'])
  })

  t.test('does not end because the feed goes down: what comes is told when it is back', async (t) => {
    const { enter, switchFeed, resume } = setUp(t)
    const wait = there(enter('a').place).wait(LONG_MS)
    switchFeed(false)
    t.equal(await stateOf(wait), 'waits')
    switchFeed(true)
    resume()
    t.equal(await wait, 'missed')
  })

  t.test('can be taken up again in the same place', async (t) => {
    const { enter, resume, decide } = setUp(t)
    const place = there(enter('a').place)
    for (const _ of [1, 2]) {
      const wait = place.wait(LONG_MS)
      resume()
      t.equal(await wait, 'missed')
    }
    t.equal(await place.wait(1), 'over')
    const wait = place.wait(LONG_MS)
    t.equal(await stateOf(wait), 'waits', 'what it was told it is not told again')
    decide('a')
    t.equal(await wait, 'decided')
  })

  t.test('hears of nothing more once it has left', async (t) => {
    const { polls, enter, decide, resume } = setUp(t)
    const { place, gone } = enter('a')
    there(place).leave()
    decide('a')
    resume()
    gone.abort()
    polls.stop()
    t.equal(await there(place).wait(1), 'over')
  })
})

t.test('news from before the wait counts', async (t) => {
  const NEWS: Record<string, (parts: ReturnType<typeof setUp>, gone: AbortController) => void> = {
    decided: ({ decide }) => decide('a'),
    missed: ({ resume }) => resume(),
    gone: (_parts, gone) => gone.abort(),
    stopping: ({ polls }) => polls.stop()
  }
  for (const [news, happen] of Object.entries(NEWS)) {
    t.test(`${news}: the wait is over before it begins`, async (t) => {
      const parts = setUp(t)
      const { place, gone } = parts.enter('a')
      happen(parts, gone)
      t.equal(await there(place).wait(LONG_MS), news)
    })

    t.test(`${news}: it never hides a decision`, async (t) => {
      const [before, after] = [setUp(t), setUp(t)]
      const one = before.enter('a')
      before.decide('a')
      happen(before, one.gone)
      t.equal(await there(one.place).wait(LONG_MS), 'decided', 'that came first')
      const two = after.enter('a')
      happen(after, two.gone)
      after.decide('a')
      t.equal(await there(two.place).wait(LONG_MS), 'decided', 'that came after')
    })
  }

  t.test('it is told once', async (t) => {
    const { enter, resume } = setUp(t)
    const place = there(enter('a').place)
    resume()
    resume()
    t.equal(await place.wait(LONG_MS), 'missed')
    t.equal(await place.wait(1), 'over')
  })

  t.test('what was decided before it came in is not news', async (t) => {
    const { enter, decide } = setUp(t)
    decide('a')
    t.equal(await there(enter('a').place).wait(1), 'over')
  })
})

t.test('any order of coming, hearing and going keeps the count', async (t) => {
  const step = fc.record({
    what: fc.constantFrom('enter', 'enter', 'enter', 'leave', 'leave', 'decide', 'resume', 'gone'),
    which: fc.nat(20),
    grant: fc.constantFrom('a', 'b', 'c', 'd')
  })
  fc.assert(
    fc.property(fc.nat(6), fc.array(step, { maxLength: 60 }), (most, steps) => {
      const parts = setUp(t, most)
      const held: { grant: string; place: HeldPoll; gone: AbortController }[] = []
      for (const { what, which, grant } of steps) {
        const one = held[which % Math.max(1, held.length)]
        if (what === 'enter') {
          const { place, gone } = parts.enter(grant)
          const isRoom = held.length < most && held.filter((other) => other.grant === grant).length < 2
          if (isRoom !== (place !== undefined)) return false
          if (place) held.push({ grant, place, gone })
        }
        if (what === 'leave' && one) {
          one.place.leave()
          held.splice(held.indexOf(one), 1)
        }
        if (what === 'gone') one?.gone.abort()
        if (what === 'decide') parts.decide(grant)
        if (what === 'resume') parts.resume()
        if (parts.polls.count() !== held.length) return false
      }
      return true
    }),
    { numRuns: 1_000 }
  )
  t.pass('1,000 histories')
})

t.test('Prefer: wait', async (t) => {
  t.equal(LONGEST_WAIT_SECONDS, 30)

  t.test('is read as RFC 7240 writes it', async (t) => {
    const rows: [header: string, seconds: number | undefined][] = [
      ['wait=10', 10],
      ['wait=0', 0],
      ['wait=007', 7],
      ['wait=999999999', 999_999_999],
      ['WAIT=10', 10],
      ['Wait = 10', 10],
      [' \twait\t=\t10 ', 10],
      ['wait="10"', 10],
      ['wait=10; strict', 10],
      ['wait=10;foo="a, b"', 10],
      ['respond-async, wait=10', 10],
      ['respond-async,wait=10', 10],
      ['respond-async; x="y, wait=5", wait=10', 10],
      ['a="\\", wait=5", wait=10', 10],
      ['return=minimal, , wait=10,', 10],
      ['wait=10, wait=20', 10],
      ['wait=10, handling=lenient, WAIT=20', 10],
      ['wait=x, wait=10', undefined],
      ['wait, wait=10', undefined],
      ['await=10', undefined],
      ['wait-=10', undefined],
      ['x-wait=10', undefined],
      ['foo=wait=10', undefined],
      ['foo; wait=10', undefined],
      ['foo="wait=10"', undefined],
      ['foo=", wait=10"', undefined],
      ['wait=', undefined],
      ['wait=""', undefined],
      ['wait=-1', undefined],
      ['wait=+1', undefined],
      ['wait=1.5', undefined],
      ['wait=1e1', undefined],
      ['wait=0x1', undefined],
      ['wait=10s', undefined],
      ['wait=1 0', undefined],
      ['wait=１', undefined],
      ['wait="10', undefined],
      ["wait='10'", undefined],
      ['wait=1000000000', undefined],
      ['wait:10', undefined],
      ['wait 10', undefined],
      ['', undefined],
      [',', undefined],
      ['"', undefined],
      ['=', undefined]
    ]
    for (const [header, seconds] of rows) t.equal(readWaitSeconds(header), seconds, JSON.stringify(header))
  })

  t.test('is not looked for in what nobody would write', async (t) => {
    for (const rest of [', a', ' ', ',', '; a']) {
      const header = `wait=10${rest.repeat(256)}`
      t.equal(readWaitSeconds(header.slice(0, 256)), 10)
      t.equal(readWaitSeconds(header.slice(0, 257)), undefined)
    }
  })

  t.test('of any header is a whole number of seconds or nothing', async (t) => {
    const piece = fc.constantFrom('wait', 'WAIT', '=', '"', '\\', ',', ';', ' ', '\t', '1', '30', 'x', '\u0000', 'é')
    const pieces = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(pieces, fc.string(), fc.string({ unit: 'binary' })), (header) => {
        const seconds = readWaitSeconds(header)
        return seconds === undefined || (Number.isInteger(seconds) && seconds >= 0 && seconds <= 999_999_999)
      }),
      { numRuns: 20_000 }
    )
    t.pass('20,000 headers')
  })

  t.test('of several the first one counts, whatever else is preferred and however it is written', async (t) => {
    const space = fc.constantFrom('', ' ', '\t', '  ')
    const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}$/).filter((name) => name.toLowerCase() !== 'wait')
    const quoted = fc
      .string({ unit: fc.constantFrom(...' abc=;,wait0123!()[]é'.split(''), '\\"', '\\\\', '\\,'), maxLength: 12 })
      .map((text) => `"${text}"`)
    const value = fc.oneof(token, quoted)
    const parameter = fc.record({ gaps: fc.tuple(space, space), name: token, value: fc.option(value) })
    const parameters = fc.array(
      parameter.map(({ gaps, name, value }) => `${gaps[0]};${gaps[1]}${name}${value === null ? '' : `=${value}`}`),
      { maxLength: 2 }
    )
    const other = fc
      .tuple(token, fc.option(value), parameters)
      .map(([name, value, rest]) => `${name}${value === null ? '' : `=${value}`}${rest.join('')}`)
    const seconds = fc.nat(999_999_999)
    const wait = fc
      .record({
        seconds,
        name: fc.constantFrom('wait', 'Wait', 'WAIT', 'waIT'),
        gaps: fc.tuple(space, space),
        isQuoted: fc.boolean(),
        parameters
      })
      .map(({ seconds, name, gaps, isQuoted, parameters }) => ({
        seconds,
        text: `${name}${gaps[0]}=${gaps[1]}${isQuoted ? `"${seconds}"` : seconds}${parameters.join('')}`
      }))
    const comma = fc.tuple(space, space).map(([before, after]) => `${before},${after}`)
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 3 }),
        fc.array(wait, { maxLength: 3 }),
        fc.array(other),
        comma,
        (...all) => {
          const [before, waits, after, separator] = all
          const [first, ...more] = waits
          const list = [
            ...before,
            ...(first ? [first.text] : []),
            ...after.slice(0, 3),
            ...more.map(({ text }) => text)
          ]
          const header = list.join(separator)
          return readWaitSeconds(header) === (header.length > 256 ? undefined : first?.seconds)
        }
      ),
      { numRuns: 5_000 }
    )
    t.pass('5,000 headers')
  })

  t.test('takes no longer for a header that is made to take long', async (t) => {
    // Node.js accepts no longer header.
    const LONGEST = 16 * 1024
    const headers: string[] = []
    for (const unit of [
      '"\\',
      '\\"',
      '"',
      '"a',
      ',',
      ' ',
      'wait',
      '\\',
      '";',
      '",',
      '=',
      'wait=1"',
      ' \t',
      'wait = '
    ]) {
      for (const start of ['', '"', 'wait=', 'a="']) {
        const header = (start + unit.repeat(LONGEST)).slice(0, LONGEST)
        headers.push(header)
      }
    }
    const effort = await effortOf(() => headers.map((header) => readWaitSeconds(header)))
    t.ok(effort < 2, `${headers.length} headers: ${effort.toFixed(2)}`)
  })
})
