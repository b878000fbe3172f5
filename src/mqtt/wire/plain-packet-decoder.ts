/**
 * Reads plain PUBLISH packets that another node passed on. It believes nothing: that node may be wrong about what is plain.
 */
import type { PacketPublication, PlainPacketReader } from '../../core/ports/plain-packet-reader.ts'
import { PlainPublication } from '../plain-publication.ts'
import { packetType } from './packet-types.ts'
import { PublishDecoder } from './publish-decoder.ts'

const PLAIN_BYTE = packetType.publish << 4
const LENGTH_BYTES_MAX = 4

export class PlainPacketDecoder implements PlainPacketReader {
  /** How many levels a topic may have was for the node to decide that took it from its publisher. */
  readonly #decoder = new PublishDecoder(Infinity)

  read(bytes: Uint8Array, start: number, isVersion5: boolean): PacketPublication | undefined {
    if (bytes[start] !== PLAIN_BYTE) return undefined
    let length = 0
    let bodyStart = start + 1
    for (let scale = 1; ; scale *= 128) {
      if (bodyStart === bytes.length || bodyStart > start + LENGTH_BYTES_MAX) return undefined
      const byte = bytes[bodyStart++] as number
      length += (byte & 0x7f) * scale
      if (byte < 0x80) break
    }
    const end = bodyStart + length
    if (end > bytes.length) return undefined
    const decoder = this.#decoder
    if (decoder.decode(bytes, start, bodyStart, end, isVersion5 ? 5 : 4) !== undefined) return undefined
    if (!decoder.isPlain || decoder.topicFault !== undefined) return undefined
    return new PlainPublication(decoder.topic, '', bytes, start, decoder.payloadStart, end, isVersion5)
  }
}
