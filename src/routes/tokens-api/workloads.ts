/** Workloads, which the wire calls clients of a provider: each has one audience, and is issued tokens. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import type { AnswerList } from '../paging.js'
import { found, ownerOf } from './owner.js'
import { renderWorkload } from './render.js'

export function workloads(app: App, answerList: AnswerList): void {
  const { workloads } = app.core

  /** GET /v1/providers/{providerId}/clients. */
  app.route({
    ...tokensOperations.listClients,
    // Each piece of a list has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const [owner, { providerId }] = [ownerOf(request), request.params]
      const read = async (options: ListOptions) => found(await workloads.list(owner, providerId, options))
      return answerList(request, reply, { name: ['provider clients', owner, providerId], read, render: renderWorkload })
    }
  })

  /** POST /v1/providers/{providerId}/clients. */
  app.route({
    ...tokensOperations.createClient,
    handler: async (request, reply) => {
      const workload = found(await workloads.create(ownerOf(request), request.params.providerId, request.body))
      return reply.code(201).send(renderWorkload(workload))
    }
  })

  /** GET /v1/providers/{providerId}/clients/{clientId}. */
  app.route({
    ...tokensOperations.getClient,
    handler: async (request) => {
      const { providerId, clientId } = request.params
      return renderWorkload(found(await workloads.find(ownerOf(request), providerId, clientId)))
    }
  })

  /** DELETE /v1/providers/{providerId}/clients/{clientId}. */
  app.route({
    ...tokensOperations.deleteClient,
    handler: async (request, reply) => {
      const { providerId, clientId } = request.params
      found(await workloads.delete(ownerOf(request), providerId, clientId))
      return reply.code(204).send(null)
    }
  })
}

/** Behind `authenticateMinting`. */
export function workloadTokens(app: App): void {
  const { workloadTokens } = app.core

  /** POST /v1/providers/{providerId}/clients/{clientId}/tokens: a JWT for a workload. */
  app.route({
    ...tokensOperations.createAccessToken,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const [{ providerId, clientId }, sources] = [request.params, request.tokenSources]
      const { expiresIn, ...more } = request.body ?? {}
      const wish = { ...more, expiresInSeconds: expiresIn }
      const minted = found(await workloadTokens.mint(ownerOf(request), providerId, clientId, wish, sources))
      const expiresAt = new Date(minted.expiresAtMs).toISOString()
      return reply.code(201).send({ accessToken: minted.accessToken, expiresAt, type: 'Bearer' as const })
    }
  })
}
