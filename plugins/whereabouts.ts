/** app.whereabouts: the address and the place of a request. Believes the proxies of TRUST_PROXY alone, and their EDGE_HEADERS. */
import { isIP } from 'node:net'
import { compile } from '@fastify/proxy-addr'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Location } from '../src/core/grants/grant.js'

declare module 'fastify' {
  interface FastifyInstance {
    whereabouts: { ip(request: FastifyRequest): string; location(request: FastifyRequest): Location | undefined }
  }
}

const LONGEST_LOCATION = 256

export const whereabouts = fp(
  async (app) => {
    const { trustProxy, edgeHeaders } = app.config
    const trusts = compile([...trustProxy])
    const peerOf = (request: FastifyRequest) => request.socket.remoteAddress ?? ''

    app.decorate('whereabouts', {
      /** The peer's address where a proxy forwards something that is no address. */
      ip: (request) => (isIP(request.ip) ? request.ip : peerOf(request)),

      location(request) {
        if (!edgeHeaders || !trusts(peerOf(request), 0)) return undefined
        const [city, region, country] = ['cf-ipcity', 'cf-region', 'cf-ipcountry'].map((name) =>
          readHeader(request, name)
        )
        const text = [city, region, country].filter(Boolean).join(', ').slice(0, LONGEST_LOCATION)
        if (!text) return undefined
        return country && isCountry(country) ? { text, country } : { text }
      }
    })
  },
  { name: 'whereabouts', dependencies: ['config'] }
)

/** Decodes UTF-8, which the edge sends and Node reads as Latin-1. */
function readHeader({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8').trim() : undefined
}

/** The edge sends XX for an unknown country and T1 for Tor: neither can be compared. */
function isCountry(code: string): boolean {
  return /^[A-Z]{2}$/.test(code) && code !== 'XX'
}
