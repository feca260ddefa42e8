/** The pages on which a user enters the code of a device, by hand or through a link. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatUserCode, isBlankUserCode, readUserCode } from '../../core/grants/codes.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { CodeForm, LONGEST_TYPED_CODE } from './views/code-form.js'
import { Start } from './views/start.js'
import { userIdOf, visitOf } from './visit.js'

/** GET /: the landing page, with a form for the code, which is kept while its visitor signs in. */
export function showStart({ app, visits }: PageParts): void {
  const { demoSignIn: isDemo, showsDocs } = app.config
  const documentation = showsDocs ? '/docs' : '/openapi.json'
  // /docs is served without the base path; a proxy that strips the base path serves it below.
  const docsPath = app.prefix === '' ? undefined : documentation

  app.get('/', async (request, reply) => {
    const visit = visitOf(request)
    // Without a session, the form's CSRF token is bound to the visitor's cookie, as on the sign-in page.
    const seen = visit.session ? visit : visits.remember(request, reply, {})
    return sendPage(reply, Start, { visit: seen, isDemo, docsPath: docsPath ?? visit.base + documentation })
  })
}

/**
 * GET /device: the form for the code (`verification_uri` of RFC 8628 §3.2). A code in the query only fills in the form; a
 * redirect moves it from the URL into the visitor's cookie, which keeps it while they sign in.
 */
export function showCodeForm({ app, visits, codes }: PageParts): void {
  const requireSession = visits.requireSession('device')

  app.get('/device', async (request, reply) => {
    const visit = visitOf(request)
    const { code } = request.query as { code?: unknown }
    if (code !== undefined) {
      const typed = readTypedCode(code)
      // A link whose code is malformed leads to the empty form.
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
 * POST /device: looks the code up and redirects to the question. The answer to a wrong code never says why it is wrong. A code
 * that a visitor typed on the landing page before signing in is kept and looked up afterwards.
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
      // A form that belongs to an ended session is not kept, because it is unknown who filled it in.
      if (!visits.isOwnForm(request)) return requireSession(request, reply)
    },
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const { user_code: sent } = request.body as { user_code?: unknown }
      const typed = typeof sent === 'string' ? sent : ''
      if (!visit.session) return keepForSignIn(request, reply, typed)
      // Browsers submit an empty field as well, which does not count as a guess.
      if (isBlankUserCode(typed)) return refuse(request, reply)
      const outcome = await app.limits.guess(request, userIdOf(request), () => app.core.grants.peek(typed))
      if (outcome.kind !== 'pending') return refuse(request, reply)
      const userCode = formatUserCode(readUserCode(typed) ?? '')
      codes.keep(request, reply, { userCode, linked: isLinked(request, userCode), isEntered: true })
      return seeOther(reply, visit, '/device/confirm')
    }
  })

  function refuse(request: FastifyRequest, reply: FastifyReply) {
    codes.forget(reply)
    return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
  }

  /** A code is looked up only for a signed-in user, whose misses can be counted. */
  function keepForSignIn(request: FastifyRequest, reply: FastifyReply, typed: string) {
    const userCode = asShown(typed)
    if (userCode === undefined) {
      return sendPage(reply.code(400), CodeForm, { visit: visitOf(request), isInvalid: true })
    }
    codes.keep(request, reply, { userCode, linked: isLinked(request, userCode) })
    visits.remember(request, reply, { destination: 'consent' })
    return seeOther(reply, visitOf(request), '/login')
  }

  /** Whether a link filled in this code before. */
  function isLinked(request: FastifyRequest, userCode: string): boolean {
    const before = codes.read(request)
    return before?.linked === true && asShown(before.userCode) === userCode
  }
}

/** The code of a query or a form; undefined unless there is exactly one, in the form of a code. */
function readTypedCode(value: unknown): string | undefined {
  const isUsable = typeof value === 'string' && value.length > 0 && value.length <= LONGEST_TYPED_CODE
  return isUsable ? value : undefined
}

/** The text in the form XXXX-XXXX; undefined if it cannot be a code, so that no other text of a link gets into the form. */
function asShown(typed: string): string | undefined {
  const userCode = readUserCode(typed)
  return userCode && formatUserCode(userCode)
}
