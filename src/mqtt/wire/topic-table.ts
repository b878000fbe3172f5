/**
 * The topics seen lately, by their bytes: a publisher names the same few over and over, and decoding, checking and hashing
 * the text each time would cost more than routing it.
 *
 * A table of one entry per slot: what falls on a taken slot replaces it. Bounded by its slots and by the length of a topic.
 * Invariant: an entry is found only by exactly its bytes.
 */
import { topicNameFault, type TopicFault } from '../../core/topic.ts'
import { decodeUtf8, isMqttString } from './utf8.ts'

export interface KnownTopic {
  readonly bytes: Uint8Array
  readonly topic: string
  /** What is wrong with it as a topic name; undefined = nothing. An empty one stands for a topic alias. */
  readonly fault: TopicFault | undefined
}

const SLOTS = 4096
const BYTES_MAX = 256
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

export class TopicTable {
  readonly #slots = new Array<KnownTopic | undefined>(SLOTS).fill(undefined)
  readonly #levelsMax: number

  constructor(levelsMax: number) {
    this.#levelsMax = levelsMax
  }

  /** The topic in [start, end), or undefined when it is not an MQTT UTF-8 string. */
  get(bytes: Uint8Array, start: number, end: number): KnownTopic | undefined {
    const length = end - start
    if (length > BYTES_MAX) return this.#make(bytes, start, end)
    let hash = FNV_OFFSET
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), FNV_PRIME)
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const known = this.#slots[slot]
    if (known !== undefined && known.bytes.length === length && isSame(known.bytes, bytes, start))
      return known
    const made = this.#make(bytes, start, end)
    if (made !== undefined) this.#slots[slot] = made
    return made
  }

  #make(bytes: Uint8Array, start: number, end: number): KnownTopic | undefined {
    if (!isMqttString(bytes, start, end)) return undefined
    const topic = decodeUtf8(bytes, start, end)
    return {
      bytes: Uint8Array.prototype.slice.call(bytes, start, end),
      topic,
      fault: topicNameFault(topic, this.#levelsMax),
    }
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false
  return true
}
