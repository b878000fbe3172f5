/** Frames of the "retained" channel; WIRE.md describes them. Decoding believes nothing: every length is checked. */
import type { RetainedStamp } from '../src/core/publication.ts'

const VERSION = 1
const kind = {
  ...{ digest: 1, buckets: 2, have: 3, want: 4, entry: 5, mark: 6, clock: 7 },
  ...{ large: 8, fetch: 9, payload: 10, offer: 11, held: 12 },
} as const

/** Which copy of a topic's entry a node has. */
export interface RetainedVersion {
  readonly topic: string
  readonly stamp: RetainedStamp
}

export type RetainedFrame =
  | {
      readonly type: 'digest'
      readonly checksum: number
      readonly count: number
      /** The sender's wall clock, ms. */
      readonly wallMs: number
    }
  | { readonly type: 'buckets'; readonly checksums: Uint32Array }
  | {
      readonly type: 'have'
      readonly bucket: number
      readonly isLast: boolean
      readonly versions: readonly RetainedVersion[]
    }
  | { readonly type: 'want'; readonly topics: readonly string[] }
  /** A PUBLISH frame of the "forward" channel, with a stamp. */
  | { readonly type: 'entry'; readonly publish: Uint8Array }
  | { readonly type: 'mark'; readonly step: number }
  | { readonly type: 'clock'; readonly aheadMs: number }
  /** As ENTRY, without its payload. */
  | { readonly type: 'large'; readonly payloadBytes: number; readonly publish: Uint8Array }
  | ({ readonly type: 'fetch' } & RetainedVersion)
  /** Undefined: the sender does not have it. */
  | ({ readonly type: 'payload'; readonly payload: Uint8Array | undefined } & RetainedVersion)
  | { readonly type: 'offer' | 'held'; readonly versions: readonly RetainedVersion[] }

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function encodeRetainedFrame(frame: RetainedFrame): Uint8Array {
  switch (frame.type) {
    case 'digest': {
      const [bytes, view] = begin(kind.digest, 16)
      view.setUint32(2, frame.checksum)
      view.setUint32(6, frame.count)
      view.setFloat64(10, frame.wallMs)
      return bytes
    }
    case 'buckets': {
      const [bytes, view] = begin(kind.buckets, frame.checksums.length * 4)
      frame.checksums.forEach((checksum, bucket) => view.setUint32(2 + bucket * 4, checksum))
      return bytes
    }
    case 'have': {
      const [bytes, view] = encodeVersions(kind.have, 3, frame.versions, 0)
      view.setUint16(2, frame.bucket)
      view.setUint8(4, frame.isLast ? 1 : 0)
      return bytes
    }
    case 'want': {
      const topics = frame.topics.map(topic => encoder.encode(topic))
      const [bytes, view] = begin(
        kind.want,
        topics.reduce((sum, topic) => sum + 2 + topic.length, 0),
      )
      let at = 2
      for (const topic of topics) at = writeTopic(bytes, view, at, topic)
      return bytes
    }
    case 'entry': {
      const [bytes] = begin(kind.entry, frame.publish.length)
      bytes.set(frame.publish, 2)
      return bytes
    }
    case 'mark': {
      const [bytes, view] = begin(kind.mark, 1)
      view.setUint8(2, frame.step)
      return bytes
    }
    case 'clock': {
      const [bytes, view] = begin(kind.clock, 8)
      view.setFloat64(2, frame.aheadMs)
      return bytes
    }
    case 'large': {
      const [bytes, view] = begin(kind.large, 4 + frame.publish.length)
      view.setUint32(2, frame.payloadBytes)
      bytes.set(frame.publish, 6)
      return bytes
    }
    case 'payload': {
      const { payload } = frame
      const [bytes, view] = encodeVersions(kind.payload, 1, [frame], payload?.length ?? 0)
      view.setUint8(2, payload === undefined ? 0 : 1)
      if (payload !== undefined) bytes.set(payload, bytes.length - payload.length)
      return bytes
    }
    case 'fetch':
      return encodeVersions(kind.fetch, 0, [frame], 0)[0]
    case 'offer':
    case 'held':
      return encodeVersions(kind[frame.type], 0, frame.versions, 0)[0]
  }
}

/** Undefined when it is malformed. Contents are views into the frame where they can be. */
export function decodeRetainedFrame(bytes: Uint8Array): RetainedFrame | undefined {
  if (bytes.length < 2 || bytes[0] !== VERSION) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bodyBytes = bytes.length - 2
  switch (bytes[1]) {
    case kind.digest:
      if (bodyBytes !== 16) return undefined
      return {
        type: 'digest',
        checksum: view.getUint32(2),
        count: view.getUint32(6),
        wallMs: view.getFloat64(10),
      }
    case kind.buckets:
      if (bodyBytes % 4 !== 0) return undefined
      return {
        type: 'buckets',
        checksums: Uint32Array.from({ length: bodyBytes / 4 }, (_, bucket) => view.getUint32(2 + bucket * 4)),
      }
    case kind.have:
      return decodeHave(bytes, view)
    case kind.want: {
      const topics: string[] = []
      for (let at = 2; at < bytes.length;) {
        const read = readTopic(bytes, view, at)
        if (read === undefined) return undefined
        topics.push(read.topic)
        at = read.end
      }
      return { type: 'want', topics }
    }
    case kind.entry:
      return { type: 'entry', publish: bytes.subarray(2) }
    case kind.mark:
      return bodyBytes === 1 ? { type: 'mark', step: view.getUint8(2) } : undefined
    case kind.clock:
      return bodyBytes === 8 ? { type: 'clock', aheadMs: view.getFloat64(2) } : undefined
    case kind.large: {
      if (bodyBytes < 4) return undefined
      return { type: 'large', payloadBytes: view.getUint32(2), publish: bytes.subarray(6) }
    }
    case kind.fetch: {
      const versions = readVersions(bytes, view, 2)
      return versions?.length === 1 ? { type: 'fetch', ...(versions[0] as RetainedVersion) } : undefined
    }
    case kind.payload:
      return decodePayload(bytes, view)
    case kind.offer:
    case kind.held: {
      const versions = readVersions(bytes, view, 2)
      return versions && { type: bytes[1] === kind.offer ? 'offer' : 'held', versions }
    }
    default:
      return undefined
  }
}

function decodeHave(bytes: Uint8Array, view: DataView): RetainedFrame | undefined {
  const versions = bytes.length < 5 ? undefined : readVersions(bytes, view, 5)
  return versions && { type: 'have', bucket: view.getUint16(2), isLast: view.getUint8(4) === 1, versions }
}

function decodePayload(bytes: Uint8Array, view: DataView): RetainedFrame | undefined {
  const read = bytes.length < 3 ? undefined : readVersion(bytes, view, 3)
  if (read === undefined) return undefined
  const isHere = view.getUint8(2) === 1
  if (!isHere && read.end !== bytes.length) return undefined
  return { type: 'payload', ...read.version, payload: isHere ? bytes.subarray(read.end) : undefined }
}

/** A frame with `headBytes` to be filled in, the versions, and room for `tailBytes`. */
function encodeVersions(
  frameKind: number,
  headBytes: number,
  versions: readonly RetainedVersion[],
  tailBytes: number,
): readonly [Uint8Array, DataView] {
  const topics = versions.map(({ topic }) => encoder.encode(topic))
  const versionBytes = topics.reduce((sum, topic) => sum + 18 + topic.length, 0)
  const [bytes, view] = begin(frameKind, headBytes + versionBytes + tailBytes)
  let at = 2 + headBytes
  versions.forEach(({ stamp }, index) => {
    view.setFloat64(at, stamp.time)
    view.setFloat64(at + 8, stamp.incarnation)
    at = writeTopic(bytes, view, at + 16, topics[index] as Uint8Array)
  })
  return [bytes, view]
}

/** As many as fill the rest of the frame. */
function readVersions(bytes: Uint8Array, view: DataView, start: number): RetainedVersion[] | undefined {
  const versions: RetainedVersion[] = []
  for (let at = start; at < bytes.length;) {
    const read = readVersion(bytes, view, at)
    if (read === undefined) return undefined
    versions.push(read.version)
    at = read.end
  }
  return versions
}

function readVersion(
  bytes: Uint8Array,
  view: DataView,
  at: number,
): { version: RetainedVersion; end: number } | undefined {
  if (at + 16 > bytes.length) return undefined
  const stamp = { time: view.getFloat64(at), incarnation: view.getFloat64(at + 8) }
  const read = readTopic(bytes, view, at + 16)
  if (read === undefined || !Number.isSafeInteger(stamp.time) || !Number.isSafeInteger(stamp.incarnation))
    return undefined
  return { version: { topic: read.topic, stamp }, end: read.end }
}

function begin(frameKind: number, bodyBytes: number): readonly [Uint8Array, DataView] {
  const bytes = new Uint8Array(2 + bodyBytes)
  bytes[0] = VERSION
  bytes[1] = frameKind
  return [bytes, new DataView(bytes.buffer)]
}

function writeTopic(bytes: Uint8Array, view: DataView, at: number, topic: Uint8Array): number {
  view.setUint16(at, topic.length)
  bytes.set(topic, at + 2)
  return at + 2 + topic.length
}

function readTopic(
  bytes: Uint8Array,
  view: DataView,
  at: number,
): { topic: string; end: number } | undefined {
  if (at + 2 > bytes.length) return undefined
  const end = at + 2 + view.getUint16(at)
  if (end > bytes.length) return undefined
  try {
    return { topic: decoder.decode(bytes.subarray(at + 2, end)), end }
  } catch {
    return undefined
  }
}
