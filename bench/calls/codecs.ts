import { generate } from 'mqtt-packet'
import { decodePublish, encodePublish, stampPublish } from '../../routing/forward-codec.ts'
import type { Publication } from '../../src/core/publication.ts'
import { PublishDecoder } from '../../src/mqtt/wire/publish-decoder.ts'
import { PublishEncoder } from '../../src/mqtt/wire/publish-encoder.ts'
import { nanosecondsPerCall } from './measured-calls.ts'

/** Nanoseconds per PUBLISH of 256 B read and written, and per frame of it between nodes. */
export function codecFigures(calls: number): Record<string, number> {
  const topic = 'site/2/sensor/temperature'
  const payload = Buffer.alloc(256, 'x')
  const packet = generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false })
  const publication: Publication = {
    ...{ topic, payload, qos: 0, retain: false, publisher: '' },
    ...{ properties: undefined, expiresAtMs: undefined },
  }
  const decoder = new PublishDecoder(128)
  const encoder = new PublishEncoder()
  const bodyStart = packet.length < 130 ? 2 : 3
  const frame = encodePublish(publication)
  return {
    decodedNs: nanosecondsPerCall(calls, () => decoder.decode(packet, 0, bodyStart, packet.length, 4)),
    encodedNs: nanosecondsPerCall(calls, () => encoder.encode({ ...publication }, 4, 0, false, 0)),
    encodedAgainNs: nanosecondsPerCall(calls, () => encoder.encode(publication, 4, 0, false, 0)),
    frameEncodedNs: nanosecondsPerCall(calls, () => encodePublish(publication)),
    frameStampedNs: nanosecondsPerCall(calls, () => stampPublish(frame, 0, 0)),
    frameDecodedNs: nanosecondsPerCall(calls, () => decodePublish(frame, 0)),
  }
}
