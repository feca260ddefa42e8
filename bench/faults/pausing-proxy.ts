/** A TCP proxy that can pause: connections stay open but carry no data, as on a network that drops all packets. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface PausingProxy {
  url: string
  pause(): void
  resume(): void
  close(): Promise<void>
}

export async function startPausingProxy(port: number): Promise<PausingProxy> {
  const sockets = new Set<Socket>()
  let isPaused = false

  function track(socket: Socket, peer: Socket): void {
    sockets.add(socket)
    if (isPaused) socket.pause()
    socket.on('data', (piece) => peer.write(piece))
    // A paused socket emits no `end`, so that a hang-up is not passed on either while the network is silent.
    socket.on('end', () => peer.end())
    socket.on('error', () => peer.destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      peer.destroy()
    })
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const redis = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    track(client, redis)
    track(redis, client)
    // Adding a listener for `data` resumes a socket, so new sockets are paused again here.
    if (isPaused) for (const socket of [client, redis]) socket.pause()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pause() {
      isPaused = true
      for (const socket of sockets) socket.pause()
    },
    resume() {
      isPaused = false
      for (const socket of sockets) socket.resume()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}
