/** Whether a program on the same device may ask, by the rules of the operator, and what is said where its question is not put. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../../core/clients/client.js'
import type { Ruled } from '../../core/grants/admission.js'
import type { App } from '../app.js'
import { answerUrl, type Refusal } from '../oauth/authorization-answer.js'
import { answererOf } from './answerer.js'
import type { Ask } from './ask.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { placeOf } from './views/ask-page.js'
import { ErrorPage } from './views/error-page.js'
import { RefusedByRule } from './views/refused-by-rule.js'
import { visitOf } from './visit.js'

type Link = { href: string; text: string }

export interface Asking {
  ask: Ask
  client: Client
}

const REFUSED = { error: 'access_denied', description: 'This service does not allow it' } as const

/** Says that there is nothing to answer. No client is told, for it is not known which. */
export function tellLost(request: FastifyRequest, reply: FastifyReply, next?: Link): FastifyReply {
  const visit = visitOf(request)
  return sendPage(reply.code(400), ErrorPage, { visit, sentence: visit.texts.asking.lost, ...(next && { next }) })
}

/** The link that takes a refusal back to the program that asked. Its user has seen the question, or was to sign in for it. */
export function wayBack({ app }: PageParts, request: FastifyRequest, ask: Ask, refusal: Refusal): Link {
  const visit = visitOf(request)
  const { redirectUri, state } = ask
  const href = answerUrl(app.config.publicUrl, { redirectUri, state }, refusal)
  return { href, text: visit.texts.asking.goOn(placeOf(redirectUri, visit)) }
}

/** What the rules look at. The program runs where its user has the browser, so that both are in one place. */
export function ruledOf({ whereabouts }: App, request: FastifyRequest, { ask, client }: Asking) {
  const location = whereabouts.location(request)
  return {
    ...{ clientId: client.id, clientType: client.type, redirectUri: ask.redirectUri, ip: whereabouts.ip(request) },
    ...(location && { location }),
    ...(ask.hasNoUserAgent && { hasNoUserAgent: ask.hasNoUserAgent })
  } satisfies Ruled
}

/** Says what a rule refuses. The program hears of it when its user follows the link: on by itself, the browser would show no reason. */
export function sendRefusedAsk(
  parts: PageParts,
  request: FastifyRequest,
  reply: FastifyReply,
  { ask }: Asking,
  { say }: { say?: string }
): FastifyReply {
  parts.asks.forget(reply, ask.id)
  const next = wayBack(parts, request, ask, REFUSED)
  return sendPage(reply.code(403), RefusedByRule, { visit: visitOf(request), say, next })
}

/** Sends a user whom a rule wants to sign in once more to do so, as if the program had asked for that (`prompt=login`). */
export function signInForAsk({ asks, visits }: PageParts, request: FastifyRequest, reply: FastifyReply, ask: Ask) {
  if (!asks.keep(request, reply, { ...ask, reauthenticates: true })) return tellLost(request, reply)
  const heading = { destination: 'device', askId: ask.id, reauthenticates: true } as const
  return seeOther(reply, visits.remember(request, reply, heading), `/login?ask=${ask.id}`)
}

/** The warnings to show beside a question. Where it is not to be put, an answer says so instead, and there are none. */
export async function admitAsk(parts: PageParts, request: FastifyRequest, reply: FastifyReply, asking: Asking) {
  const { app } = parts
  const { code, askedAtMs } = asking.ask
  const asked = { code, askedAtMs, request: ruledOf(app, request, asking) }
  const admitted = await app.core.grants.admitCode(asked, answererOf(app, request))
  if (admitted.kind === 'refused') return { sent: sendRefusedAsk(parts, request, reply, asking, admitted) }
  if (admitted.isProofDue) return { sent: signInForAsk(parts, request, reply, asking.ask) }
  return { warnings: admitted.warnings }
}
