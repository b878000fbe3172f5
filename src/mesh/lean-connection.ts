/**
 * Noise and yamux as they are on the wire, with fewer and larger writes.
 *
 * A small message between brokers would otherwise cost two system calls for itself (noise hands its length and its text to the
 * socket apart, and they arrive apart) and two for the window update that answers it. Nothing here is known to the other end.
 */
import type { ConnectionEncrypter, StreamMuxerFactory } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { batchSends, sendWhole } from './send-batcher.ts'
import { WindowUpdates } from './window-updates.ts'

const LENGTH_BYTES = 2
const MESSAGE_BYTES_MAX = 65_535

type NoiseComponents = Parameters<ReturnType<typeof noise>>[0]

export function leanNoise(): (components: NoiseComponents) => ConnectionEncrypter {
  const make = noise()
  return components => {
    const encrypter = make(components)
    return {
      protocol: encrypter.protocol,
      secureInbound: async (connection, options) => {
        sendWhole(connection)
        return withCalmDecoder(await encrypter.secureInbound(connection, options))
      },
      secureOutbound: async (connection, options) => {
        sendWhole(connection)
        return withCalmDecoder(await encrypter.secureOutbound(connection, options))
      },
    }
  }
}

export function leanYamux(): () => StreamMuxerFactory {
  const make = yamux()
  return () => {
    const factory = make()
    return {
      protocol: factory.protocol,
      createStreamMuxer: connection => {
        const updates = new WindowUpdates()
        batchSends(connection, frame => updates.hold(frame))
        return factory.createStreamMuxer(connection)
      },
    }
  }
}

/**
 * Noise's decoder finds the end of each chunk by an exception, whose stack trace costs as much as the decryption. Where it is built as we
 * know it, it is told instead that a message longer than what it has is to come.
 */
function withCalmDecoder<Secured extends { connection: object }>(secured: Secured): Secured {
  const { connection } = secured
  if (
    'decoder' in connection &&
    connection.decoder instanceof Object &&
    'lengthDecoder' in connection.decoder
  ) {
    const { lengthDecoder } = connection.decoder
    if (typeof lengthDecoder !== 'function') return secured
    const decode = lengthDecoder as (bytes: { readonly byteLength: number }) => number
    connection.decoder.lengthDecoder = (bytes: { readonly byteLength: number }) =>
      bytes.byteLength < LENGTH_BYTES ? MESSAGE_BYTES_MAX : decode(bytes)
  }
  return secured
}
