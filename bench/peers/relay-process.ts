import { createServer, type Socket } from 'node:net'

/**
 * Not a broker: answers CONNECT and SUBSCRIBE with constants and from then on copies the bytes of client
 * `bench-pub-N` to client `bench-sub-N` unread. It shows what the load generator can do at most, and what a
 * socket without MQTT behind it costs in memory. Publishers are paused while their subscriber's socket is full.
 */
const connackPacket = Buffer.from([0x20, 2, 0, 0])
const subackPacket = Buffer.from([0x90, 3, 0, 1, 0])
const subscribers = new Map<string, Socket>()

const server = createServer({ noDelay: true }, socket => {
  let target: Socket | undefined
  let clientId: string | undefined
  socket.on('data', chunk => {
    if (target !== undefined) {
      if (!target.write(chunk)) socket.pause()
      return
    }
    if (clientId === undefined) {
      clientId = chunk.subarray(chunk.indexOf('bench-')).toString('latin1')
      const subscriber = subscribers.get(clientId.replace('-pub-', '-sub-'))
      if (clientId.startsWith('bench-pub-') && subscriber !== undefined) {
        target = subscriber
        subscriber.on('drain', () => socket.resume())
      } else if (clientId.startsWith('bench-sub-')) {
        subscribers.set(clientId, socket)
      }
      socket.write(connackPacket)
    } else if (chunk[0] === 0x82) {
      socket.write(subackPacket)
    } else if (chunk[0] === 0xe0) {
      socket.end()
    }
  })
  socket.on('error', () => socket.destroy())
})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8192 }, () => {
  process.stdout.write('ready\n')
})
