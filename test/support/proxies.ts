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
   * Whether a client that has asked on the same connection before is left without an answer where an instance dies: its connection
   * is ended, as a server may that wants a request repeated. docs/tested-with.md has a column for it.
   */
  mayEndConnectionInstead: boolean
}

export const PROXIES: Readonly<Record<string, Kind>> = {
  nginx: {
    start: async (t, port, upstreams, tls) => (await startNginx(t, port, upstreams, tls)).output,
    tellsOfClientsThatLeave: true,
    mayEndConnectionInstead: false
  },
  haproxy: { start: startHaproxy, tellsOfClientsThatLeave: true, mayEndConnectionInstead: false },
  caddy: { start: startCaddy, tellsOfClientsThatLeave: true, mayEndConnectionInstead: false },
  apache: { start: startApache, tellsOfClientsThatLeave: false, mayEndConnectionInstead: true }
}

/** Starts a proxy of this name in front of these ports. The test stops it. */
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
