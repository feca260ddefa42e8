/** The proxies that deploy/ has a configuration for, each started the same way, and what they do not do alike. */
import { startApache } from './apache.js'
import { startCaddy } from './caddy.js'
import { startHaproxy } from './haproxy.js'
import { startNginx } from './nginx.js'
import type { Tls } from './tls.js'

type Torn = { teardown(handler: () => unknown): void }

export interface Proxy {
  url: string
  /** The same over TLS. */
  secureUrl: string
  /** Returns what it has logged so far. */
  output(): Promise<string>
}

interface Kind {
  start(t: Torn, port: number, upstreams: readonly number[], tls: Tls): Promise<() => string | Promise<string>>
  /** Whether an instance learns that the client of a poll it holds has left. docs/tested-with.md has a column for it. */
  tellsOfClientsThatLeave: boolean
  /**
   * How a request ends whose instance dies: its status, or the error that its client sees. Some end a connection that has brought a
   * request before without an answer. docs/tested-with.md has a column for it.
   */
  whenInstanceDies: Readonly<Record<'new' | 'kept' | 'HTTP/2', readonly (number | string)[]>>
}

const ALWAYS_502 = { new: [502], kept: [502], 'HTTP/2': [502] }

export const PROXIES: Readonly<Record<string, Kind>> = {
  nginx: {
    start: async (t, port, upstreams, tls) => (await startNginx(t, port, upstreams, tls)).output,
    tellsOfClientsThatLeave: true,
    whenInstanceDies: ALWAYS_502
  },
  haproxy: {
    start: startHaproxy,
    tellsOfClientsThatLeave: true,
    // It depends on whether the connection to the instance had been used before.
    whenInstanceDies: { new: [502], kept: ['ECONNRESET', 502], 'HTTP/2': ['ERR_HTTP2_STREAM_ERROR', 502] }
  },
  caddy: { start: startCaddy, tellsOfClientsThatLeave: true, whenInstanceDies: ALWAYS_502 },
  apache: {
    start: startApache,
    tellsOfClientsThatLeave: false,
    whenInstanceDies: { new: [502], kept: ['ECONNRESET'], 'HTTP/2': [500] }
  }
}

/** Starts a proxy of this kind in front of these ports. The test stops it. */
export async function startProxy(
  t: Torn,
  { start }: Kind,
  port: number,
  upstreams: readonly number[],
  tls: Tls
): Promise<Proxy> {
  const output = await start(t, port, upstreams, tls)
  return {
    url: `http://127.0.0.1:${port}`,
    secureUrl: `https://127.0.0.1:${tls.port}`,
    output: async () => output()
  }
}
