/**
 * This node's entry in the cluster: its incarnation and its member key.
 *
 * It knows nothing of suspension or of sessions. Invariant: a member key is created only for the newest life of the node,
 * and only when no other life of it is registered: first the incarnation key is rewritten, its revision being the
 * incarnation, then the member key is created in a transaction that finds the incarnation key unchanged. A life that ran on
 * this very data directory cannot run any more, since the directory's lock is ours; its key is removed without waiting.
 */
import { GrapevineError } from '../src/core/errors.ts'
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationOperation,
  CoordinationStore,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { MemberDescription } from '../src/core/ports/membership.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff, pause } from './backoff.ts'
import { decodeIncarnation, encodeIncarnation, incarnationAt } from './incarnation-record.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { decodeMember, encodeMember } from './member-record.ts'
import { isAtRevision, newNonce, resultOf } from './store-calls.ts'

interface RegistrationContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  /** Of the data directory whose lock this process holds; undefined when there is none. */
  readonly dataDirId?: string | undefined
}

/** How often a node that waits for its predecessor's lease looks again. */
const POLL_MS = 250
/** etcd expires leases some time after their TTL. */
const EXPIRY_SLACK_MS = 3000

export class Registration {
  readonly #context: RegistrationContext
  #incarnation: Incarnation = 0
  /** Mod revision of the incarnation key as last written by us. */
  #claimRevision = 0
  /** The first of the lives of this node, up to this one, that ran on this data directory one after the other. */
  #sameDirSince: Incarnation = 0
  #description: MemberDescription | undefined
  /** Mod revision of the member key as last written by us, 0 when there is none. */
  #revision = 0
  #writtenDescription: MemberDescription | undefined
  #isWriting = false
  #isStopped = false

  constructor(context: RegistrationContext) {
    this.#context = context
  }

  /** 0 before it is allocated. */
  get incarnation(): Incarnation {
    return this.#incarnation
  }

  get key(): string {
    return this.#context.keys.member(this.#context.nodeId, this.#incarnation)
  }

  get description(): MemberDescription | undefined {
    return this.#description
  }

  get revision(): number {
    return this.#revision
  }

  describe(description: MemberDescription): void {
    const { dataDirId } = this.#context
    this.#description = dataDirId === undefined ? description : { ...description, dataDirId }
  }

  /** Whether that life was one of this node's on this very data directory, before this one. */
  isProvenDead({ nodeId, incarnation }: LifeName): boolean {
    const isEarlier = nodeId === this.#context.nodeId && incarnation < this.#incarnation
    return isEarlier && this.#sameDirSince > 0 && incarnation >= this.#sameDirSince
  }

  /**
   * Waits until no life of this node is registered, for the time a dead one's lease can last, then allocates the
   * incarnation. Throws NODE_ID_TAKEN, COORDINATION_UNAVAILABLE when the store does not answer, or COORDINATION_CLOSED.
   */
  async allocate(leaseTtlMs: number, epoch: number): Promise<void> {
    const { clock, logger, nodeId } = this.#context
    const endMs = clock.now() + leaseTtlMs + EXPIRY_SLACK_MS
    let hasWarned = false
    for (;;) {
      if (this.#isStopped) throw leftMeanwhile()
      const others = await this.#othersRegistered()
      if (others.length === 0) {
        await this.#claimIncarnation(epoch)
        // One more look: a life registered between the two would be seen now, and none can register after.
        if ((await this.#othersRegistered()).length === 0) return
        continue
      }
      if (clock.now() >= endMs) throw nodeIdTaken(nodeId)
      if (!hasWarned) {
        logger.info('an earlier life of this node is still registered; waiting for its lease to run out', {
          nodeId,
          memberKeys: others,
          waitMsMax: leaseTtlMs + EXPIRY_SLACK_MS,
        })
      }
      hasWarned = true
      await pause(clock, POLL_MS)
    }
  }

  /**
   * Creates the member key on `leaseId`, or takes it over to that lease. Throws NODE_ID_TAKEN when another process
   * has taken the node id since, COORDINATION_UNAVAILABLE when it could not be done now.
   */
  async register(leaseId: string): Promise<void> {
    const { store, keys, nodeId } = this.#context
    const description = this.#description
    if (description === undefined) throw new Error('registered before it was described')
    // Compared with what is there, so that an earlier attempt of unknown outcome cannot be carried out after this one.
    const { entry } = await store.get(this.key)
    const incarnationKey = keys.incarnation(nodeId)
    const result = resultOf(
      await store.transact({
        compare: [
          isAtRevision(incarnationKey, this.#claimRevision),
          isAtRevision(this.key, entry?.modRevision ?? 0),
        ],
        success: [
          { type: 'put', key: this.key, value: encodeMember(description), leaseId },
          { type: 'put', key: keys.generation, value: new TextEncoder().encode(nodeId) },
        ],
        failure: [{ type: 'get', key: incarnationKey }],
      }),
    )
    if (!result.succeeded) {
      const [found] = result.results
      if (found?.type === 'get' && found.entry?.modRevision !== this.#claimRevision) {
        await this.#claimAgain(found.entry)
      }
      throw new GrapevineError(
        'COORDINATION_UNAVAILABLE',
        'the member key changed while it was being written',
      )
    }
    this.#revision = result.revision
    this.#writtenDescription = description
  }

  /** Changes what others see; written in the background, until it is, on the lease `leaseId()` names then. */
  change(change: Partial<MemberDescription>, leaseId: () => string | undefined): void {
    if (this.#description === undefined) throw new Error('a node described itself before it joined')
    this.#description = { ...this.#description, ...change }
    if (!this.#isWriting) void this.#writeDescription(leaseId)
  }

  /** How the incarnation key is found, and put, when this life ends with nothing that anybody need be kept for. */
  retirement(): { readonly compare: CoordinationCompare; readonly operation: CoordinationOperation } {
    const { keys, nodeId, random, dataDirId } = this.#context
    const key = keys.incarnation(nodeId)
    const sameDirSince = this.#sameDirSince > 0 ? this.#sameDirSince : undefined
    const incarnation = this.#incarnation
    const nonce = newNonce(random)
    const value = encodeIncarnation({ nonce, incarnation, dataDirId, sameDirSince, isRetired: true })
    return {
      compare: isAtRevision(key, this.#claimRevision),
      operation: { type: 'put', key, value },
    }
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Never rejects. A write is compared with the last one, so that a late one of unknown outcome cannot undo a later. */
  async #writeDescription(leaseId: () => string | undefined): Promise<void> {
    const { store, clock, random } = this.#context
    this.#isWriting = true
    const backoff = new Backoff(clock, random, 100, 3000)
    while (this.#writtenDescription !== this.#description && !this.#isStopped) {
      const description = this.#description
      const lease = leaseId()
      // Without a lease the node registers again before anything else, with the description it then has.
      if (description !== undefined && lease !== undefined && this.#revision > 0) {
        const expected = this.#revision
        const outcome = await store.transact({
          compare: [isAtRevision(this.key, expected)],
          success: [{ type: 'put', key: this.key, value: encodeMember(description), leaseId: lease }],
          failure: [{ type: 'get', key: this.key }],
        })
        if (outcome.outcome === 'done') this.#noteWrite(outcome.result, expected, description)
        if (this.#writtenDescription === description) continue
      }
      await backoff.pause()
    }
    this.#isWriting = false
  }

  #noteWrite(
    { succeeded, revision, results }: ReturnType<typeof resultOf>,
    expected: number,
    description: MemberDescription,
  ): void {
    if (this.#revision !== expected) return
    if (succeeded) {
      this.#revision = revision
      this.#writtenDescription = description
    } else {
      // An earlier write of unknown outcome was carried out after all.
      const [found] = results
      if (found?.type === 'get' && found.entry !== undefined) this.#revision = found.entry.modRevision
    }
  }

  /** Member keys of other lives of this node, once those that died on this data directory are removed. */
  async #othersRegistered(): Promise<string[]> {
    const { store, keys, nodeId, dataDirId, logger } = this.#context
    const { entries } = await store.range(keys.membersOf(nodeId))
    const others: string[] = []
    for (const { key, value, leaseId } of entries) {
      const isOurs = dataDirId !== undefined && decodeMember(nodeId, 1, value)?.dataDirId === dataDirId
      if (isOurs) {
        // With the lease goes everything that hangs on it, leadership too.
        await store.revokeLease(leaseId)
        logger.info(
          'an earlier life of this node on this data directory is signed off: it cannot run any more',
          {
            key,
          },
        )
      } else {
        others.push(key)
      }
    }
    return others
  }

  async #claimIncarnation(epoch: number): Promise<void> {
    const { store, keys, nodeId, random, dataDirId } = this.#context
    const key = keys.incarnation(nodeId)
    const before = (await store.get(key)).entry
    const previous = before && decodeIncarnation(before, epoch)
    const isSameDir = dataDirId !== undefined && previous?.dataDirId === dataDirId
    const sameDirSince = isSameDir ? previous.sameDirSince : undefined
    const nonce = newNonce(random)
    const value = encodeIncarnation({ nonce, epoch, dataDirId, sameDirSince })
    const revision = await this.#putIncarnation(key, before, value, nonce)
    this.#claimRevision = revision
    this.#incarnation = incarnationAt(epoch, revision)
    this.#sameDirSince = dataDirId === undefined ? 0 : (sameDirSince ?? this.#incarnation)
  }

  /**
   * The incarnation key is not as this life wrote it. Either a later life did, which is thrown as NODE_ID_TAKEN; or the store
   * was restored or emptied, and the key is written again for the incarnation this life has.
   */
  async #claimAgain(found: CoordinationEntry | undefined): Promise<void> {
    const { keys, nodeId, random, dataDirId } = this.#context
    const incarnation = this.#incarnation
    if (found !== undefined && (decodeIncarnation(found, 1)?.incarnation ?? Infinity) > incarnation) {
      throw nodeIdTaken(nodeId)
    }
    const nonce = newNonce(random)
    const sameDirSince = this.#sameDirSince > 0 ? this.#sameDirSince : undefined
    const value = encodeIncarnation({ nonce, incarnation, dataDirId, sameDirSince })
    this.#claimRevision = await this.#putIncarnation(keys.incarnation(nodeId), found, value, nonce)
  }

  /** Its mod revision then. Throws COORDINATION_UNAVAILABLE when another write came first, or the outcome is not known. */
  async #putIncarnation(
    key: string,
    before: CoordinationEntry | undefined,
    value: Uint8Array,
    nonce: string,
  ): Promise<number> {
    const { store } = this.#context
    const outcome = await store.transact({
      compare: [isAtRevision(key, before?.modRevision ?? 0)],
      success: [{ type: 'put', key, value }],
      failure: [],
    })
    if (outcome.outcome === 'unknown') {
      const { entry } = await store.get(key)
      if (entry !== undefined && decodeIncarnation(entry, 1)?.nonce === nonce) return entry.modRevision
    }
    const { succeeded, revision } = resultOf(outcome)
    if (succeeded) return revision
    throw new GrapevineError('COORDINATION_UNAVAILABLE', 'another process of this node id is starting')
  }
}

/** The node was told to leave before it had joined. */
export function leftMeanwhile(): GrapevineError {
  return new GrapevineError(
    'COORDINATION_CLOSED',
    'the node left the cluster before it had joined; it is stopping',
  )
}

function nodeIdTaken(nodeId: NodeId): GrapevineError {
  return new GrapevineError(
    'NODE_ID_TAKEN',
    `another live process of this cluster has the node id ${nodeId}; two nodes with one id cannot be told apart: stop the other one, or give this one another node.id`,
  )
}
