import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SignInRefusal } from '../../core/users/sign-in.js'
import type { Begun, Visitor } from './cookies.js'
import { pathTo } from './heading.js'
import { type PageParts, PathId, seeOther, sendPage } from './page.js'
import { askingOf, wayBack } from './show-ask.js'
import { ErrorPage } from './views/error-page.js'
import { visitOf } from './visit.js'

/** The attempt that a callback answers, with its secrets and the visitor who began it. */
interface Returning {
  visitor: Visitor
  one: Begun
  attempt: NonNullable<Begun['attempt']>
}

/**
 * GET /login/{upstream}/callback: the upstream's answer (RFC 6749 §4.1.2). It counts once, and only in the browser and for the
 * upstream of its attempt; a session from before ends. The `state` parameter selects the attempt, so that a foreign callback
 * changes nothing and causes no request to the upstream. HEAD finishes nothing.
 */
export function finishSignIn(parts: PageParts): void {
  const { app, cookies, codes, asks } = parts
  app.route({
    method: 'GET',
    url: '/login/:id/callback',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: app.limits.perAddress('sign-in-answer'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      if (request.method === 'HEAD') return seeOther(reply, visit, '/login')
      const { visitor } = visit
      const state = stateOf(queryOf(request))
      const one = visitor?.begun?.find((one) => one.state === state && one.providerId === request.params.id)
      if (!visitor || !one) return refuse(request, reply, 'invalid')
      // The callback was loaded before, so it leads to the same destination again.
      if (!one.attempt) return seeOther(reply, visit, visit.session ? pathTo(one) : '/login')
      const returning = { visitor, one, attempt: one.attempt }
      return one.connectsFor === undefined ? signIn(request, reply, returning) : connect(request, reply, returning)
    }
  })

  async function signIn(request: FastifyRequest, reply: FastifyReply, { visitor, one, attempt }: Returning) {
    const visit = visitOf(request)
    // The attempt stays while the upstream cannot be reached, so that reloading the callback retries it.
    const from = app.whereabouts.whence(request)
    const outcome = await app.core.signIn.finish(one.providerId, queryOf(request), attempt, from)
    if (outcome.kind === 'refused') {
      cookies.visitor.set(reply, { ...visitor, begun: without(visitor, one) })
      return refuse(request, reply, outcome.reason, one)
    }
    app.metrics.countSignIn('signed_in')
    // The visitor gets a new id, which invalidates the forms from before the sign-in.
    cookies.visitor.set(reply, { id: randomUUID(), destination: 'device', begun: withSecretsGone(visitor, one) })
    codes.handOver(request, reply, outcome.session)
    if (visit.session) await app.core.browserSessions.end(visit.session)
    cookies.session.set(reply, outcome.token)
    return seeOther(reply, visit, pathTo(one))
  }

  async function connect(request: FastifyRequest, reply: FastifyReply, { visitor, one, attempt }: Returning) {
    const visit = visitOf(request)
    const { session } = visit
    // The same user may have signed in again in another tab, but another user must not finish this attempt.
    const isTheirs = session && app.core.keyring.tags('connecting', session.userId).includes(one.connectsFor ?? '')
    if (!isTheirs) return refuse(request, reply, 'invalid')
    const { userId } = session
    const from = app.whereabouts.whence(request)
    const outcome = await app.core.signIn.finishConnecting(one.providerId, queryOf(request), attempt, userId, from)
    const isConnected = outcome.kind === 'connected'
    app.metrics.countSignIn(isConnected ? 'connected' : 'refused')
    const begun = isConnected ? withSecretsGone(visitor, one) : without(visitor, one)
    cookies.visitor.set(reply, { ...visitor, begun })
    const done = outcome.kind === 'refused' ? outcome.reason : outcome.kind
    return seeOther(reply, visit, `/account/connections?done=${done}`)
  }

  function refuse(request: FastifyRequest, reply: FastifyReply, reason: SignInRefusal, one?: Begun) {
    app.metrics.countSignIn('refused')
    const ask = asks.read(request, one?.askId)
    const visit = visitOf(request)
    const sentence = visit.texts.error.signInFailed[reason]
    const login = { href: ask ? `/login?ask=${ask.id}` : '/login', text: visit.texts.login.title }
    // Nothing else could be told of an upstream that proves no new sign-in (OpenID Connect Core 1.0 §3.1.2.1, `prompt`).
    const isVain = reason === 'not_fresh' && (ask?.reauthenticates || ask?.maxAgeSeconds !== undefined)
    // Nor does a page lead to where the operator lets its answer go no more.
    const mayGoBack = ask && isVain && askingOf(parts, request, ask.id) !== undefined
    const next = mayGoBack ? wayBack(parts, request, ask, NOT_PROVED) : login
    return sendPage(reply.code(400), ErrorPage, { visit, sentence, next })
  }
}

const NOT_PROVED = { error: 'login_required', description: 'The sign-in could not be proved to be new' } as const

/** Everything after the first question mark, because a query may contain more of them (RFC 3986 §3.4). */
const queryOf = (request: FastifyRequest) => request.raw.url?.split('?').slice(1).join('?') ?? ''

/** The `state` of a query; undefined unless there is exactly one. */
function stateOf(query: string): string | undefined {
  const states = new URLSearchParams(query).getAll('state')
  return states.length === 1 ? states[0] : undefined
}

const without = ({ begun = [] }: Visitor, over: Begun) => begun.filter((one) => one !== over)

/** Marks an attempt as finished: only its `state` stays. */
function withSecretsGone({ begun = [] }: Visitor, over: Begun): Begun[] {
  const { attempt: _attempt, connectsFor: _connectsFor, ...rest } = over
  return begun.map((one) => (one === over ? rest : one))
}
