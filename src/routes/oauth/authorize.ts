/**
 * The authorization endpoint (RFC 6749 §3.1): looks at a request, and sends the browser on to the question, or back to the client
 * with what is wrong. It changes nothing but a cookie, so that a link and a preview of it do no harm.
 */
import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { Client } from '../../core/clients/client.js'
import type { DescribedClient } from '../../core/clients/clients.js'
import { fault } from '../../core/fault.js'
import { newGrantCode } from '../../core/grants/codes.js'
import type { App } from '../app.js'
import { createDescribe, describedOrNone } from '../described-client.js'
import { writeForm } from '../form-body.js'
import { metadataOf, readUserAgent } from '../grant-start.js'
import type { Ask } from '../pages/ask.js'
import type { Demands } from '../pages/asks.js'
import { type PageParts, seeOther } from '../pages/page.js'
import { languageAmong } from '../pages/texts/languages.js'
import { visitOf } from '../pages/visit.js'
import { LONGEST_URL, type Refusal } from './authorization-answer.js'
import {
  type Asked,
  isKnown,
  one,
  readAuthorizationRequest,
  readReturnAddress,
  type SentParameters
} from './authorization-request.js'
import { createRefuse, refuseHere } from './refuse-request.js'

/** GET and POST /oauth/authorize, where there are pages. */
export function authorize({ app, asks }: PageParts): void {
  const { core, config, clock } = app

  const describe = createDescribe(app)
  const refuse = createRefuse(config.publicUrl)
  const route = {
    // The document of a client may have to be fetched.
    config: { waitsForOthers: true },
    onRequest: app.limitTime(app.limits.perAddress('start')),
    // What is wrong is found here, because most of it is for the client.
    attachValidation: true
  } as const
  app.route({
    ...oauthOperations.authorize,
    ...route,
    handler: (request, reply) => answer(request, reply, request.query as SentParameters) as Promise<never>
  })
  app.route({
    ...oauthOperations.authorizeByPost,
    ...route,
    handler: (request, reply) => answer(request, reply, (request.body ?? {}) as SentParameters) as Promise<never>
  })

  async function answer(request: FastifyRequest, reply: FastifyReply, sent: SentParameters): Promise<FastifyReply> {
    const { asking } = visitOf(request).texts
    const id = one(sent, 'client_id')
    const client = await describedOrNone(describe, request, id === undefined ? undefined : core.clients.find(id))
    if (!client) return refuseHere(request, reply, asking.unknownClient)
    const to = readReturnAddress(client, sent)
    if (!to) return refuseHere(request, reply, asking.unknownRedirect)
    const asked = readAuthorizationRequest(client, to, sent)
    if ('error' in asked) return refuse(request, reply, client, to, asked)
    const visit = visitOf(request)
    if (request.method === 'POST') {
      // The cookies of this browser come with no form of another site (SameSite=Lax), but with the GET that follows it.
      const url = `/oauth/authorize?${writeForm(sent, isKnown)}`
      return url.length > LONGEST_URL ? refuse(request, reply, client, to, TOO_LONG) : seeOther(reply, visit, url)
    }
    const refusal = whyNotAsked(request, asked)
    if (refusal) return refuse(request, reply, client, to, refusal)
    if (request.method === 'HEAD') return seeOther(reply, visit, '/login')
    const ask = { ...askOf(client, asked), ...readUserAgent(request) }
    if (!asks.keep(request, reply, ask)) return refuse(request, reply, client, to, TOO_LONG)
    app.metrics.countGrant('started', 'code')
    return seeOther(reply, visit, `/authorize/${ask.id}`)
  }

  function askOf(client: Client | DescribedClient, asked: Asked): Ask {
    const { redirectUri, state, scopes, resources, codeChallenge, nonce, uiLocales, deviceName, clientVersion } = asked
    const language = languageAmong(uiLocales)
    return {
      ...{ id: randomBytes(16).toString('base64url'), code: newGrantCode(), ...demandsOf(asked) },
      ...{ clientId: client.id, redirectUri, scopes, codeChallenge },
      metadata: metadataOf(client, { hostname: deviceName, version: clientVersion }),
      ...(state !== undefined && { state }),
      ...(resources && { resources }),
      ...(nonce !== undefined && { nonce }),
      ...(language && { language })
    }
  }

  /** Whom `prompt` and `max_age` let answer. */
  const demandsOf = ({ prompts, maxAgeSeconds }: Asked): Demands => ({
    askedAtMs: clock(),
    ...((prompts.includes('login') || maxAgeSeconds === 0) && { reauthenticates: true }),
    ...(maxAgeSeconds && { maxAgeSeconds })
  })

  /** With `prompt=none` nobody is asked, and nothing is ever approved without that. */
  function whyNotAsked(request: FastifyRequest, asked: Asked): Refusal | undefined {
    if (!asked.prompts.includes('none')) return undefined
    const { session } = visitOf(request)
    const isSignedIn = session && asks.isAnswerableBy(demandsOf(asked), session)
    if (!isSignedIn) return { error: 'login_required', description: 'The user has to sign in' }
    return { error: 'consent_required', description: 'The user is always asked' }
  }
}

const TOO_LONG = { error: 'invalid_request', description: 'The parameters are too long together' } as const

/** GET and POST /oauth/authorize, where nobody signs in: refuses, and says where to go instead. */
export function refuseToAuthorize(app: App): void {
  const { method, url } = oauthOperations.authorize
  app.route({
    method: [method, oauthOperations.authorizeByPost.method],
    url,
    // Before a body is read: none could make it right.
    onRequest: async () => {
      throw fault('unsupported_response_type')
    },
    handler: async () => {}
  })
}
