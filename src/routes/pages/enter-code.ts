/** Entering the code that a device shows: by hand, or filled in by a link. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatUserCode, readUserCode } from '../../core/grants/codes.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm, LONGEST_TYPED_CODE } from './views/code-form.js'
import { Start } from './views/start.js'
import { userIdOf, visitOf } from './visit.js'

/** GET /: what this is, and a place for the code, which survives signing in. */
export function showStart({ app, visits }: PageParts): void {
  const { demoSignIn: isDemo, showsDocs } = app.config
  const documentation = showsDocs ? '/docs' : '/openapi.json'
  // The documentation has no base path. Where a proxy takes the base path away, it is the proxy's to be linked with.
  const docsPath = app.prefix === '' ? undefined : documentation

  app.get('/', async (request, reply) => {
    const visit = visitOf(request)
    // The form of a stranger is bound to a cookie, as it is on the page to sign in on.
    const seen = visit.session ? visit : visits.remember(request, reply, {})
    return sendPage(reply, Start, { visit: seen, isDemo, docsPath: docsPath ?? visit.base + documentation })
  })
}

/**
 * GET /device: where a code is entered. A code in the query fills the form in and decides nothing; it is moved out of the URL
 * at once, into the visitor's cookie, and survives signing in there.
 */
export function showCodeForm({ app, visits, codes }: PageParts): void {
  const requireSession = visits.requireSession('device')

  app.get('/device', async (request, reply) => {
    const visit = visitOf(request)
    const { code } = request.query as { code?: unknown }
    if (code !== undefined) {
      const typed = readTypedCode(code)
      // A link with something else in it leads to the empty form.
      if (typed === undefined) codes.forget(reply)
      else codes.keep(request, reply, { userCode: typed, linked: true })
      return seeOther(reply, visit, '/device')
    }
    await requireSession(request, reply)
    if (reply.sent) return reply
    const entered = codes.read(request)
    const linkedCode = entered?.linked && !entered.result ? asShown(entered.userCode) : undefined
    return sendPage(reply, CodeForm, { visit, ...(linkedCode !== undefined && { linkedCode }) })
  })
}

/**
 * POST /device: looks the code up and goes on to the question. Why a code leads nowhere is not told. What somebody typed who is
 * not signed in yet, on the landing page, survives signing in and is looked up after it.
 */
export function enterCode({ app, visits, codes }: PageParts): void {
  const limitUser = app.limits.perUser('peek', userIdOf)
  const requireSession = visits.requireSession('device')

  app.route({
    method: 'POST',
    url: '/device',
    onRequest: [
      app.limits.perAddress('peek'),
      async (request) => {
        if (visitOf(request).session) await limitUser(request)
      }
    ],
    preValidation: async (request, reply) => {
      if (visitOf(request).session) return visits.requireOwnForm(request)
      // A form that was shown to a session that has ended since is not kept: nobody can tell who filled it in.
      if (!visits.isOwnForm(request)) return requireSession(request, reply)
    },
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const { user_code: sent } = request.body as { user_code?: unknown }
      const typed = readTypedCode(sent)
      if (!visit.session) return keepForSignIn(request, reply, typed)
      // Browsers send an empty field as well, which is no guess.
      if (sent === '') return refuse(request, reply)
      const outcome = await app.limits.guess(request, userIdOf(request), () => app.core.grants.peek(typed ?? ''))
      if (typed === undefined || outcome.kind !== 'pending') return refuse(request, reply)
      const userCode = formatUserCode(readUserCode(typed) ?? '')
      codes.keep(request, reply, { userCode, linked: isLinked(request, userCode), isEntered: true })
      return seeOther(reply, visit, '/device/confirm')
    }
  })

  function refuse(request: FastifyRequest, reply: FastifyReply) {
    codes.forget(reply)
    return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
  }

  /** Nothing is looked up before somebody is signed in whose misses can be counted. */
  function keepForSignIn(request: FastifyRequest, reply: FastifyReply, typed = '') {
    const userCode = asShown(typed)
    if (userCode === undefined) {
      return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
    }
    codes.keep(request, reply, { userCode, linked: isLinked(request, userCode) })
    visits.remember(request, reply, { destination: 'consent' })
    return seeOther(reply, visitOf(request), '/login')
  }

  /** Whether this is the code that a link filled in before. */
  function isLinked(request: FastifyRequest, userCode: string): boolean {
    const before = codes.read(request)
    return before?.linked === true && asShown(before.userCode) === userCode
  }
}

/** The one code of a query or a form, if it can be one at all. */
function readTypedCode(value: unknown): string | undefined {
  const isUsable = typeof value === 'string' && value.length > 0 && value.length <= LONGEST_TYPED_CODE
  return isUsable ? value : undefined
}

/** A code as a device shows it, if the text can be one. No other text of a link gets into a form. */
function asShown(typed: string): string | undefined {
  const userCode = readUserCode(typed)
  return userCode && formatUserCode(userCode)
}
