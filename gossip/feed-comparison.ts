/**
 * Compares what a feed on trial brings of one other node with what the remote index got of it from the feed in use.
 *
 * The trial's image begins with the node's records, and goes on with the deltas of the feed on trial; both sides' checksums are
 * remembered by sequence, and compared wherever both have been, so that churn does not matter. Nothing here touches the index.
 * Invariant: `same` is said only after a while without difference, at a sequence the index had reached by the end of it;
 * `different` is final.
 */
import type { TopicHasher } from '../src/core/interest-hash.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { InterestRecords } from '../src/core/ports/interest-records.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import type { InterestDelta } from './delta-codec.ts'
import { FeedImage } from './feed-image.ts'
import type { FeedState } from './feed-image.ts'
import { HeldDeltas } from './held-deltas.ts'

export interface FeedComparisonComponents {
  readonly records: Pick<InterestRecords, 'read'>
  readonly hasher: TopicHasher
  readonly clock: Clock
  /** What the index holds of the node now; undefined while it is not known. */
  readonly indexed: () => FeedState | undefined
  /** `verdict` changed. */
  readonly onVerdict: () => void
}

/** How long both feeds are watched at least. */
const OBSERVED_MS = 1000
/** An image that cannot follow, or is not followed, is read anew after this. */
const RELOAD_MS = 250
/** Without agreement it is read anew, too: a gossip message may have been lost. */
const STALE_MS = 3000
const REMEMBERED_MAX = 1024

export class FeedComparison {
  readonly peer: PeerAddress
  readonly #components: FeedComparisonComponents
  readonly #held = new HeldDeltas()
  readonly #indexed = new Map<string, FeedState>()
  readonly #tried = new Map<string, FeedState>()
  #image: FeedImage | undefined
  #verdict: 'open' | 'same' | 'different' = 'open'
  /** Sequence up to which both are known to agree. */
  #agreed = -1
  #target: number | undefined
  #reload: Timer | undefined
  #stale: Timer | undefined
  readonly #observed: Timer
  #isStopped = false
  #difference: string | undefined

  constructor(peer: PeerAddress, components: FeedComparisonComponents) {
    this.peer = peer
    this.#components = components
    this.#observed = components.clock.repeat(OBSERVED_MS, () => this.#onObserved())
    this.onIndexed()
    this.#loadAfter(0)
  }

  get verdict(): 'open' | 'same' | 'different' {
    return this.#verdict
  }

  /** For operators, once they are different. */
  get difference(): string | undefined {
    return this.#difference
  }

  /** The index holds another state. */
  onIndexed(): void {
    const state = this.#components.indexed()
    if (state !== undefined && this.#verdict === 'open') this.#note(state, this.#indexed, this.#tried)
  }

  /** The feed on trial brought a delta. */
  onDelta(delta: InterestDelta): void {
    if (this.#verdict !== 'open') return
    this.#held.put(delta) // of too many all are dropped, which shows as a gap
    this.#follow()
  }

  /** The feed on trial brought what cannot be read. */
  onGarbage(): void {
    this.#differ('what was written of it cannot be read')
  }

  stop(): void {
    this.#isStopped = true
    this.#observed.cancel()
    this.#reload?.cancel()
    this.#stale?.cancel()
    this.#image = undefined
  }

  #loadAfter(ms: number): void {
    if (this.#reload !== undefined || this.#verdict !== 'open') return
    this.#reload = this.#components.clock.schedule(ms, () => void this.#load())
  }

  /** Never rejects. */
  async #load(): Promise<void> {
    const { records, hasher, clock } = this.#components
    const { nodeId, incarnation } = this.peer
    const found = await records.read(nodeId, incarnation, '')
    this.#reload = undefined
    if (this.#isStopped || this.#verdict !== 'open') return
    const image = found && FeedImage.load(found, hasher)
    if (image === undefined) return this.#loadAfter(RELOAD_MS)
    this.#image = image
    this.#note(image.state, this.#tried, this.#indexed)
    this.#follow()
    this.#stale?.cancel()
    this.#stale = clock.schedule(STALE_MS, () => this.#loadAfter(0))
  }

  #follow(): void {
    const image = this.#image
    for (let delta = this.#held.first; image !== undefined && delta !== undefined; delta = this.#held.first) {
      const step = image.apply(delta)
      if (step === 'gap') return this.#loadAfter(RELOAD_MS)
      this.#held.dropFirst()
      if (step === 'applied') this.#note(image.state, this.#tried, this.#indexed)
    }
  }

  #note(state: FeedState, own: Map<string, FeedState>, others: ReadonlyMap<string, FeedState>): void {
    const key = `${state.generation}/${state.sequence}`
    own.delete(key)
    own.set(key, state)
    for (const oldest of own.keys()) {
      if (own.size <= REMEMBERED_MAX) break
      own.delete(oldest)
    }
    const other = others.get(key)
    if (other === undefined) return
    if (!isSame(state, other)) return this.#differ(`the feeds differ after its change ${state.sequence}`)
    this.#agreed = Math.max(this.#agreed, state.sequence)
    this.#settle()
  }

  #onObserved(): void {
    this.#target ??= this.#components.indexed()?.sequence
    this.#settle()
  }

  #settle(): void {
    if (this.#verdict !== 'open' || this.#target === undefined || this.#agreed < this.#target) return
    this.#conclude('same')
  }

  #differ(difference: string): void {
    if (this.#verdict !== 'open') return
    this.#difference = difference
    this.#conclude('different')
  }

  #conclude(verdict: 'same' | 'different'): void {
    this.#verdict = verdict
    this.stop()
    this.#components.onVerdict()
  }
}

function isSame(a: FeedState, b: FeedState): boolean {
  return (
    a.exactCount === b.exactCount &&
    a.exactChecksum === b.exactChecksum &&
    a.patternCount === b.patternCount &&
    a.patternChecksum === b.patternChecksum
  )
}
