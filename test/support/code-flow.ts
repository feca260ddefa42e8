/** The authorization code grant as a client and a person go through it, without a browser. */

import { createHash, randomBytes } from 'node:crypto'
import { newGrantCode } from '../../src/core/grants/codes.js'
import type { Action } from '../../src/core/grants/grant.js'
import type { Answer } from './app.js'
import { BY } from './audit.js'
import { CLI, type Credentials, type OAuthApp } from './oauth-app.js'
import type { Page, Visitor } from './visitor.js'

export const LOOPBACK = 'http://127.0.0.1:52525/callback'
export const CODE_GRANT = 'authorization_code'

export type Sent = Record<string, string | readonly string[] | undefined>

export interface CodeRequest {
  verifier: string
  /** The parameters of the request. Undefined ones are left out, and those with several values repeated. */
  sent: Sent
  /** The path of the request, with its query. */
  path: string
}

export const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')

export function queryOf(sent: Sent): string {
  const pairs = Object.entries(sent).flatMap(([name, value = []]) => [value].flat().map((one) => [name, one]))
  return new URLSearchParams(pairs as [string, string][]).toString()
}

/** A request that is right, unless a test says otherwise. */
export function codeRequest(parameters: Sent = {}): CodeRequest {
  const verifier = randomBytes(32).toString('base64url')
  const sent = {
    ...{
      response_type: 'code',
      client_id: 'cli',
      redirect_uri: LOOPBACK,
      state: 'a state',
      scope: 'openid offline_access'
    },
    ...{ code_challenge: challengeOf(verifier), code_challenge_method: 'S256' },
    ...parameters
  }
  return { verifier, sent, path: `/oauth/authorize?${queryOf(sent)}` }
}

/** Answers the question that the browser shows. Returns the URL it goes on to. */
export async function answer(visitor: Visitor, action: 'approve' | 'deny' = 'approve'): Promise<URL> {
  const [, path = ''] = /<form method="post" action="([^"]*\/authorize\/[^"]*)"/.exec(visitor.shown.body) ?? []
  return onwardOf(await visitor.post(path, { action, ...(action === 'approve' && { sure: 'yes' }) }))
}

/** The URL that a page sends the browser on to. */
export function onwardOf({ status, body, text }: Page): URL {
  const [, url] = /<meta http-equiv="refresh" content="0;url=([^"]*)"/.exec(body) ?? []
  if (url === undefined) throw new Error(`not sent on: ${status} ${text}`)
  return new URL(url.replaceAll('&amp;', '&'))
}

/** Has whoever is signed in approve a request. Returns the code. */
export async function approved(visitor: Visitor, request: CodeRequest): Promise<string> {
  await visitor.follow(visitor.get(request.path))
  const code = (await answer(visitor)).searchParams.get('code')
  if (code === null) throw new Error('no code')
  return code
}

/** Answers a request as the page does, without the page. Returns the code that an approval has made good, if that is what it comes to. */
export async function answerAs(
  { app, clock }: Pick<OAuthApp, 'app' | 'clock'>,
  { verifier, sent }: CodeRequest,
  userId: string,
  {
    action = 'approve',
    code = newGrantCode(),
    comesTo = 'decided'
  }: { action?: Action; code?: string; comesTo?: 'decided' | 'resolved' } = {}
): Promise<string> {
  const request = {
    ...{ clientId: String(sent.client_id), clientType: 'cli' as const, metadata: {} },
    scopes: ['openid', 'offline_access'],
    ...{ codeChallenge: challengeOf(verifier), redirectUri: String(sent.redirect_uri), ip: '192.0.2.1' }
  }
  const by = { ...BY, userId, signedInAtMs: clock() }
  const { kind } = await app.core.grants.answerCode({ code, request, askedAtMs: clock() }, action, by)
  if (kind !== comesTo) throw new Error(`${kind} instead of ${comesTo}`)
  return code
}

export function redeemCode(
  service: Pick<OAuthApp, 'post'>,
  code: string,
  { verifier, sent }: CodeRequest,
  parameters: Sent = {},
  client: Credentials = CLI
): Promise<Answer> {
  const redirect_uri = String(sent.redirect_uri)
  return service.post('/oauth/token', {
    ...{ ...client, grant_type: CODE_GRANT, code, redirect_uri, code_verifier: verifier },
    ...parameters
  })
}
