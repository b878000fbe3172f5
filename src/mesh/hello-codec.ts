import type { Incarnation, NodeId } from '../core/ids.ts'
import type { PeerChannel } from '../core/ports/peer-transport.ts'

/** Changes whenever anything in WIRE.md changes incompatibly. */
export const LINK_WIRE_VERSION = 1

export const peerChannels: readonly PeerChannel[] = ['forward', 'interest', 'session', 'retained']

/** The libp2p protocol of a channel's stream. */
export function channelProtocol(channel: PeerChannel): string {
  return `/grapevine/${channel}/${LINK_WIRE_VERSION}`
}

/** First frame on every stream, from both ends. */
export interface Hello {
  readonly wireVersion: number
  /** Chosen by the end that opened the streams; the same on all streams of a link. 8 bytes as hex. */
  readonly linkId: string
  readonly incarnation: Incarnation
  readonly cluster: string
  readonly nodeId: NodeId
}

const HELLO_TYPE = 1
const READY_TYPE = 2
const LINK_ID_BYTES = 8
const FIXED_BYTES = 2 + LINK_ID_BYTES + 8

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Cluster name and node id must each be at most 255 bytes of UTF-8. */
export function encodeHello(hello: Hello): Uint8Array {
  const cluster = encoder.encode(hello.cluster)
  const nodeId = encoder.encode(hello.nodeId)
  if (cluster.length > 255 || nodeId.length > 255) throw new Error('cluster name or node id over 255 bytes')
  const frame = new Uint8Array(FIXED_BYTES + 1 + cluster.length + 1 + nodeId.length)
  const view = new DataView(frame.buffer)
  frame[0] = hello.wireVersion
  frame[1] = HELLO_TYPE
  for (let i = 0; i < LINK_ID_BYTES; i++) frame[2 + i] = parseInt(hello.linkId.slice(i * 2, i * 2 + 2), 16)
  view.setBigUint64(2 + LINK_ID_BYTES, BigInt(hello.incarnation))
  frame[FIXED_BYTES] = cluster.length
  frame.set(cluster, FIXED_BYTES + 1)
  frame[FIXED_BYTES + 1 + cluster.length] = nodeId.length
  frame.set(nodeId, FIXED_BYTES + 2 + cluster.length)
  return frame
}

/** Undefined when the frame is not a hello. A hello of another wire version is read as far as this version knows it. */
export function decodeHello(frame: Uint8Array): Hello | undefined {
  if (frame.length < FIXED_BYTES + 2 || frame[1] !== HELLO_TYPE) return undefined
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const clusterEnd = FIXED_BYTES + 1 + (frame[FIXED_BYTES] as number)
  const nodeIdLength = frame[clusterEnd]
  if (nodeIdLength === undefined || frame.length < clusterEnd + 1 + nodeIdLength) return undefined
  const incarnation = Number(view.getBigUint64(2 + LINK_ID_BYTES))
  if (!Number.isSafeInteger(incarnation)) return undefined
  try {
    return {
      wireVersion: frame[0] as number,
      linkId: toHex(frame.subarray(2, 2 + LINK_ID_BYTES)),
      incarnation,
      cluster: decoder.decode(frame.subarray(FIXED_BYTES + 1, clusterEnd)),
      nodeId: decoder.decode(frame.subarray(clusterEnd + 1, clusterEnd + 1 + nodeIdLength)),
    }
  } catch {
    return undefined // not UTF-8
  }
}

export function encodeReady(): Uint8Array {
  return Uint8Array.of(LINK_WIRE_VERSION, READY_TYPE)
}

export function isReady(frame: Uint8Array): boolean {
  return frame.length === 2 && frame[0] === LINK_WIRE_VERSION && frame[1] === READY_TYPE
}

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
