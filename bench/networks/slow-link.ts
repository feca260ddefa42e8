/**
 * A second way between two nodes, whose packets are late and sometimes lost. They go through a tunnel device of each node (socat) and
 * through this process, because not every kernel has a queue that delays (netem).
 */
import { spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { commandAt } from '../../test/support/place.js'
import { until } from '../../test/support/until.js'
import type { Ends } from '../faults/stack.js'
import type { Node } from './namespaces.js'

export interface SlowLink {
  /** The address of the second node at the end of this way. */
  address: string
  /** How long each packet takes from now on, and how many of a hundred are lost, in either direction. */
  become(delayMs: number, lostOfHundred: number): void
}

const ENDS = ['10.78.0.1', '10.78.0.2'] as const
const TUNNEL_PORT = 7_000
/** Less than the devices of the nodes take, so that a packet fits into one of theirs. */
const LARGEST_PACKET = '1400'

export async function startSlowLink(t: Ends, clients: Node, ends: readonly [Node, Node]): Promise<SlowLink> {
  let delayMs = 0
  let lostOfHundred = 0
  let isOpen = true
  // Runs before the sockets are closed.
  const end = () => {
    isOpen = false
  }
  const sockets = await Promise.all(ends.map(() => openSocket(t, clients.host)))

  for (const [i, socket] of sockets.entries()) {
    const other = 1 - i
    socket.on('message', (packet) => {
      if (Math.random() * 100 < lostOfHundred) return
      const pass = () => isOpen && sockets[other]?.send(packet, TUNNEL_PORT, ends[other]?.host)
      if (delayMs === 0) pass()
      else setTimeout(pass, delayMs).unref()
    })
  }
  t.teardown(end)
  await Promise.all(ends.map((node, i) => openTunnel(t, node, ENDS[i] as string, clients.host, sockets[i] as Socket)))

  return {
    address: ENDS[1],
    become(delay, lost) {
      delayMs = delay
      lostOfHundred = lost
    }
  }
}

async function openSocket(t: Ends, host: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return socket
}

async function openTunnel(t: Ends, node: Node, address: string, hub: string, socket: Socket): Promise<void> {
  const device = `TUN:${address}/24,tun-name=slow,iff-no-pi,iff-up`
  const peer = `UDP-DATAGRAM:${hub}:${socket.address().port},bind=${node.host}:${TUNNEL_PORT}`
  const socat = spawn(...commandAt(node, 'socat', [device, peer]), { stdio: 'ignore' })
  socat.on('error', (error) => {
    throw error
  })
  const exited = once(socat, 'exit')
  t.teardown(async () => {
    socat.kill('SIGKILL')
    await exited
  })
  await until(async () => {
    const [command, args] = commandAt(node, 'ip', ['link', 'set', 'slow', 'mtu', LARGEST_PACKET])
    const [code] = await once(spawn(command, args, { stdio: 'ignore' }), 'exit')
    return code === 0
  })
}
