/**
 * Who leads the cluster (PROTOCOLS section 12): whoever created the `leader` key on its member lease.
 *
 * It campaigns whenever there is no leader and this node may act; duties are not its business. Invariant: `leader` is
 * what the store last said, never a wish: a node takes itself for the leader only after the watch told so.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { CoordinationKeys } from './keys.ts'
import { isAbsent, isPresent } from './store-calls.ts'

interface LeadershipContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
}

interface Candidate {
  readonly nodeId: NodeId
  readonly memberKey: string
  /** The lease to campaign on; undefined while the node may not act. */
  leaseId(): string | undefined
}

/** While there is no leader, each node tries again after up to this long. */
const RETRY_MS = 2000

export class Leadership {
  readonly #context: LeadershipContext
  readonly #onChanged: (leader: NodeId | undefined) => void
  #candidate: Candidate | undefined
  #watch: CoordinationWatch | undefined
  #retry: Timer | undefined
  #leader: NodeId | undefined
  #isClosed = false

  constructor(context: LeadershipContext, onChanged: (leader: NodeId | undefined) => void) {
    this.#context = context
    this.#onChanged = onChanged
  }

  get leader(): NodeId | undefined {
    return this.#leader
  }

  start(candidate: Candidate): void {
    const { store, keys } = this.#context
    this.#candidate = candidate
    this.#watch = store.watch(keys.leader, {
      onReset: entries => this.#observe(entries.find(({ key }) => key === keys.leader)),
      onEvents: events => {
        for (const event of events) {
          if (event.type === 'put' && event.entry.key === keys.leader) this.#observe(event.entry)
          if (event.type === 'delete' && event.key === keys.leader) this.#observe(undefined)
        }
      },
    })
  }

  close(): void {
    this.#isClosed = true
    this.#watch?.close()
    this.#retry?.cancel()
  }

  #observe(entry: CoordinationEntry | undefined): void {
    const leader = entry && new TextDecoder().decode(entry.value)
    this.#retry?.cancel()
    if (leader === undefined) void this.#campaign()
    if (leader === this.#leader) return
    this.#leader = leader
    this.#onChanged(leader)
  }

  /** Never rejects; the watch tells who won. */
  async #campaign(): Promise<void> {
    const { store, keys, clock, random } = this.#context
    const candidate = this.#candidate
    if (candidate === undefined || this.#isClosed) return
    this.#retry = clock.schedule(RETRY_MS * (0.5 + random.fraction() / 2), () => void this.#campaign())
    const leaseId = candidate.leaseId()
    if (leaseId === undefined) return
    const value = new TextEncoder().encode(candidate.nodeId)
    await store.transact({
      compare: [isAbsent(keys.leader), isPresent(candidate.memberKey)],
      success: [{ type: 'put', key: keys.leader, value, leaseId }],
      failure: [],
    })
  }
}
