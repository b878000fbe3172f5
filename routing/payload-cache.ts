import type { RetainedStamp } from '../src/core/publication.ts'

interface Cached {
  readonly stamp: RetainedStamp
  readonly payload: Uint8Array
}

/** Payloads that need not be kept here, the last ones used, up to a number of bytes. One per topic. */
export class PayloadCache {
  readonly #bytesMax: number
  /** In the order of their last use. */
  readonly #cached = new Map<string, Cached>()
  #byteCount = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get byteCount(): number {
    return this.#byteCount
  }

  get(topic: string, stamp: RetainedStamp): Uint8Array | undefined {
    const cached = this.#cached.get(topic)
    if (cached === undefined || !isSame(cached.stamp, stamp)) return undefined
    this.#cached.delete(topic)
    this.#cached.set(topic, cached)
    return cached.payload
  }

  set(topic: string, stamp: RetainedStamp, payload: Uint8Array): void {
    this.delete(topic)
    if (payload.length > this.#bytesMax) return
    this.#cached.set(topic, { stamp, payload })
    this.#byteCount += payload.length
    for (const oldest of this.#cached.keys()) {
      if (this.#byteCount <= this.#bytesMax) return
      this.delete(oldest)
    }
  }

  delete(topic: string): void {
    this.#byteCount -= this.#cached.get(topic)?.payload.length ?? 0
    this.#cached.delete(topic)
  }
}

export function isSame(a: RetainedStamp, b: RetainedStamp): boolean {
  return a.time === b.time && a.incarnation === b.incarnation
}
