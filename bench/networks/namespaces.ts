/**
 * Network namespaces of one run: a bridge in a namespace of its own, and one for each node, which reaches the others over the bridge
 * alone. Their names begin with the run's, so that two runs do not meet, and nothing outside of them is touched but
 * /etc/netns/NAME, where a node finds its resolv.conf.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from '../../test/support/place.js'

export interface Node extends Place {
  namespace: string
}

export interface Network {
  /** Where the clients are, and whoever runs this. */
  clients: Node
  addNode(name: string, nameserver?: string): Node
  /** Loses every packet from one of the first to one of the second, unseen by both. The other direction is another cut. */
  cut(from: readonly Node[], to: readonly Node[]): void
  /** Ends all cuts. */
  heal(): void
  /** Removes all nodes but the clients'. */
  removeNodes(): void
}

const SUBNET = '10.77.0'
const CLIENTS = 'clients'
const BRIDGE = 'bridge'
const FIRST_NODE = 10
/** Where namespaces are, and where `ip netns exec` takes the files from that it puts over those of /etc. */
const NAMESPACES = '/run/netns'
const FILES = '/etc/netns'

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' })

function makeNode(run: string, name: string, number: number): Node {
  const namespace = `${run}-${name}`
  const bridge = `${run}-${BRIDGE}`
  const host = `${SUBNET}.${number}`
  ip('netns', 'add', namespace)
  ip('link', 'add', 'eth0', 'netns', namespace, 'type', 'veth', 'peer', 'name', `to-${number}`, 'netns', bridge)
  ip('-n', bridge, 'link', 'set', `to-${number}`, 'master', 'br0', 'up')
  ip('-n', namespace, 'address', 'add', `${host}/24`, 'dev', 'eth0')
  ip('-n', namespace, 'link', 'set', 'eth0', 'up')
  ip('-n', namespace, 'link', 'set', 'lo', 'up')
  return nodeAt(namespace, host)
}

const nodeAt = (namespace: string, host: string): Node => ({
  namespace,
  host,
  within: ['ip', 'netns', 'exec', namespace]
})

/** Makes the bridge and the clients' namespace. Returns the latter. */
export function makeNetwork(run: string): Node {
  const bridge = `${run}-${BRIDGE}`
  ip('netns', 'add', bridge)
  ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', bridge, 'link', 'set', 'br0', 'up')
  return makeNode(run, CLIENTS, 1)
}

/** For the process that is in the clients' namespace: what it does with the network that was made. */
export function joinNetwork(run: string): Network {
  const nodes: Node[] = []
  const filter = (rules: string) =>
    execFileSync('ip', ['netns', 'exec', `${run}-${BRIDGE}`, 'nft', '-f', '-'], { input: rules })
  const addresses = (some: readonly Node[]) => `{ ${some.map(({ host }) => host).join(', ')} }`
  let rules: string[] = []
  // No number is used twice, because a device goes some time after its namespace.
  let next = FIRST_NODE

  return {
    clients: nodeAt(`${run}-${CLIENTS}`, `${SUBNET}.1`),
    addNode(name, nameserver) {
      const node = makeNode(run, name, next++)
      nodes.push(node)
      if (nameserver !== undefined) {
        const folder = join(FILES, node.namespace)
        mkdirSync(folder, { recursive: true })
        // Without this the resolver gives up after five seconds, and asks again.
        writeFileSync(join(folder, 'resolv.conf'), `nameserver ${nameserver}\noptions timeout:10 attempts:1\n`)
      }
      return node
    },
    cut(from, to) {
      rules.push(`ip saddr ${addresses(from)} ip daddr ${addresses(to)} drop`)
      const chain = ['type filter hook forward priority 0; policy accept;', ...rules].join('\n')
      filter(`flush ruleset\ntable bridge cuts {\nchain wire {\n${chain}\n}\n}\n`)
    },
    heal() {
      rules = []
      filter('flush ruleset\n')
    },
    removeNodes() {
      for (const { namespace } of nodes.splice(0)) remove(namespace)
    }
  }
}

/** Removes everything of this run, with what still runs in it. */
export function removeNetwork(run: string): void {
  const all = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : []
  for (const namespace of all.filter((name) => name.startsWith(`${run}-`))) remove(namespace)
}

function remove(namespace: string): void {
  for (const pid of ip('netns', 'pids', namespace).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended in the meantime.
    }
  }
  ip('netns', 'delete', namespace)
  rmSync(join(FILES, namespace), { recursive: true, force: true })
}
