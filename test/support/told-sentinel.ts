/**
 * A fake Sentinel that says what a test wants and when, because real Sentinels cannot be made to speak in every order.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { freePort } from './ports.js'

export interface ToldSentinel {
  port: number
  /** Sets the primary that it names from now on, chosen in this election: a newer one than before, if none is said. */
  name(port: number, epoch?: number): void
  /** Leaves questions unanswered from now on. Resolves when the first one has come. */
  hold(): Promise<void>
  /** Answers all waiting questions, and all later ones at once. */
  release(): void
  /** The number of connections that have subscribed to its announcements. */
  listeners(): number
  /** Ends the connections that have subscribed; what is announced before they are back, nobody hears. */
  lose(): void
  /** Calls this once, as soon as it has answered which election was the last one. */
  afterAnswer(next: () => void): void
  /** Announces that a primary has been replaced. */
  announce(master: string, from: number, to: number): void
}

const HOST = '127.0.0.1'
const bulks = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`

export async function startToldSentinel(
  t: { teardown(handler: () => unknown): void },
  primary: number
): Promise<ToldSentinel> {
  let named = primary
  /** SENTINEL master has the new epoch before it has the new address. */
  let namedBefore = primary
  let electedIn = 0
  let answered: (() => void) | undefined
  let afterAnswer: (() => void) | undefined
  let gate: { asked: () => void; waiting: (() => void)[] } | undefined
  const sockets = new Set<Socket>()
  const listening = new Set<Socket>()

  function answer(socket: Socket, [said = '', ...args]: string[]): void {
    const command = said.toLowerCase()
    const isQuestion = command === 'sentinel' && args[0] === 'get-master-addr-by-name'
    if (command === 'subscribe') {
      listening.add(socket)
      socket.write(`*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n`)
    } else if (command === 'sentinel' && args[0] === 'master') {
      socket.write(bulks('ip', HOST, 'port', `${namedBefore}`, 'config-epoch', `${electedIn}`))
      answered = afterAnswer
      afterAnswer = undefined
    } else if (!isQuestion) {
      socket.write(command === 'sentinel' ? '*0\r\n' : '+OK\r\n')
    } else {
      const say = () => socket.write(bulks(HOST, `${named}`))
      if (!gate) return void say()
      gate.waiting.push(say)
      gate.asked()
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    let unread = ''
    socket.on('error', () => {})
    socket.on('close', () => listening.delete(socket) && sockets.delete(socket))
    socket.on('data', (piece) => {
      unread += piece
      for (let command = commandIn(unread); command; command = commandIn(unread)) {
        unread = unread.slice(command.length)
        answer(socket, command.words)
      }
      answered?.()
      answered = undefined
    })
  }).listen(await freePort(), HOST)
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })

  return {
    port: (server.address() as AddressInfo).port,
    name(port, epoch = electedIn + 1) {
      namedBefore = named
      named = port
      electedIn = epoch
    },
    hold: () =>
      new Promise((asked) => {
        gate = { asked, waiting: [] }
      }),
    release() {
      const waiting = gate?.waiting ?? []
      gate = undefined
      for (const say of waiting) say()
    },
    listeners: () => listening.size,
    lose() {
      for (const socket of listening) socket.destroy()
      listening.clear()
    },
    afterAnswer(next) {
      afterAnswer = next
    },
    announce(master, from, to) {
      const message = bulks('message', '+switch-master', `${master} ${HOST} ${from} ${HOST} ${to}`)
      for (const socket of listening) socket.write(message)
    }
  }
}

/** Reads the first command of the received text as the driver writes it: an array of short strings. */
function commandIn(text: string): { words: string[]; length: number } | undefined {
  const [head, count] = /^\*(\d+)\r\n/.exec(text) ?? []
  if (!head) return undefined
  const [all, body = ''] = new RegExp(`^\\*\\d+\\r\\n((?:\\$\\d+\\r\\n[^\\r]*\\r\\n){${count}})`).exec(text) ?? []
  if (!all) return undefined
  return { words: [...body.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word = '']) => word), length: all.length }
}
