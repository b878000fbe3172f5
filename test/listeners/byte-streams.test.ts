import type { ByteStream } from '../../src/core/ports/byte-stream.ts'
import { listen } from '../../src/listeners/listen.ts'
import type { ListenerOptions } from '../../src/listeners/listener.ts'
import { byteStreamContract, type ByteStreamPair } from '../contract/byte-stream-contract.ts'
import { Certificates } from './support/certificates.ts'
import { testComponents } from './support/components.ts'
import { connectPeer } from './support/peers.ts'

const REMOTE = /^127\.0\.0\.1:\d+$/
const LOCAL = { host: '127.0.0.1', port: 0 }
const WEB_SOCKET = { ...LOCAL, path: '/mqtt', messageBytesMax: 1024 * 1024 }

describe('Streams of the listeners', () => {
  let certificates: Certificates
  let tls: ReturnType<Certificates['make']>
  before(() => {
    certificates = new Certificates()
    tls = certificates.make('server')
  })
  after(() => certificates.remove())

  byteStreamContract('A TCP connection', REMOTE, () => connect({ ...LOCAL, protocol: 'mqtt' }))
  byteStreamContract('A TLS connection', REMOTE, () => connect({ ...LOCAL, protocol: 'mqtts', tls }))
  byteStreamContract('A WebSocket', REMOTE, () => connect({ ...WEB_SOCKET, protocol: 'ws' }))
  byteStreamContract('A secure WebSocket', REMOTE, () => connect({ ...WEB_SOCKET, protocol: 'wss', tls }))
})

async function connect(options: ListenerOptions): Promise<ByteStreamPair> {
  const accepted = Promise.withResolvers<ByteStream>()
  const listener = await listen(options, testComponents(), stream => {
    stream.pause() // until the test listens
    accepted.resolve(stream)
  })
  const peer = await connectPeer(listener.url)
  const stream = await accepted.promise
  stream.resume()
  return {
    stream,
    peer,
    close: async () => {
      peer.reset()
      await listener.close()
    },
  }
}
