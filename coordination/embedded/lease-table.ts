interface Lease {
  readonly ttlMs: number
  deadlineMs: number
  readonly keys: Set<string>
}

/** Leases and the keys bound to them. Times are those of the caller's clock; nothing expires by itself. */
export class LeaseTable {
  readonly #leases = new Map<string, Lease>()

  grant(leaseId: string, ttlMs: number, nowMs: number): void {
    if (this.#leases.has(leaseId)) throw new Error(`lease ${leaseId} was granted twice`)
    this.#leases.set(leaseId, { ttlMs, deadlineMs: nowMs + ttlMs, keys: new Set() })
  }

  has(leaseId: string): boolean {
    return this.#leases.has(leaseId)
  }

  /** False when there is no such lease. */
  extend(leaseId: string, nowMs: number): boolean {
    const lease = this.#leases.get(leaseId)
    if (lease === undefined) return false
    lease.deadlineMs = nowMs + lease.ttlMs
    return true
  }

  bind(leaseId: string, key: string): void {
    this.#leases.get(leaseId)?.keys.add(key)
  }

  unbind(leaseId: string, key: string): void {
    this.#leases.get(leaseId)?.keys.delete(key)
  }

  /** Forgets the lease; answers the keys bound to it. */
  remove(leaseId: string): readonly string[] {
    const keys = [...(this.#leases.get(leaseId)?.keys ?? [])]
    this.#leases.delete(leaseId)
    return keys
  }

  /** Leases whose TTL has run out. */
  expired(nowMs: number): readonly string[] {
    const ids: string[] = []
    for (const [leaseId, lease] of this.#leases) if (lease.deadlineMs <= nowMs) ids.push(leaseId)
    return ids
  }

  /** When the next lease runs out; undefined when there is none. */
  get nextDeadlineMs(): number | undefined {
    let next: number | undefined
    for (const { deadlineMs } of this.#leases.values()) next = Math.min(next ?? deadlineMs, deadlineMs)
    return next
  }
}
