import type { ClientId, FencingToken, NodeId } from '../src/core/ids.ts'
import { compareTokens } from '../src/core/ids.ts'
import type { CoordinationEntry, CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { StagedOrigin } from '../src/core/ports/session-journal.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { CoordinationKeys } from './keys.ts'
import { decodeOwnership, encodeOwnership, type StoredOwnership } from './session-record.ts'
import { isAtRevision, newNonce, resultOf } from './store-calls.ts'

/**
 * What became of a session that was to leave. `kept`: nobody took it, and every swap still on its way fails. `moved`: another
 * node owns it. `ended`: nobody owns it. `unknown`: the store did not say, or had just been replaced.
 */
export type MoveOutcome =
  { readonly outcome: 'kept' | 'ended' | 'unknown' } | { readonly outcome: 'moved'; readonly to: NodeId }

interface OutcomePorts {
  readonly store: CoordinationStore
  readonly random: Random
  /** Whether records may be missing, or be older ones, since the store was replaced. Without it they never are. */
  readonly isSettling?: () => boolean
}

/**
 * Reads from the ownership records what became of sessions on their way between nodes.
 *
 * It decides nothing and owns nothing. Invariants: it says `kept` only after it has rewritten the record under the same token,
 * so that whoever was given consent finds another revision (PROTOCOLS section 4.3); and it believes no record, nor that there
 * is none, of a store that was emptied or restored, until every owner has had the time to write its own again.
 */
export class SessionOutcomes {
  readonly #ports: OutcomePorts
  readonly #keys: CoordinationKeys
  readonly #nodeId: NodeId

  constructor(ports: OutcomePorts, keys: CoordinationKeys, nodeId: NodeId) {
    this.#ports = ports
    this.#keys = keys
    this.#nodeId = nodeId
  }

  /** Takes consent back, or says that it was used. Never rejects. */
  async settle(clientId: ClientId, token: FencingToken): Promise<MoveOutcome> {
    const read = await this.#read(clientId)
    if (read === 'unknown') return { outcome: read }
    const { entry, record } = read
    if (record?.node !== this.#nodeId || compareTokens(record.token, token) !== 0)
      return outcomeOf(record, this.#nodeId)
    const value = encodeOwnership({
      ...record,
      tokenRevision: token.revision,
      nonce: newNonce(this.#ports.random),
    })
    const key = this.#keys.session(clientId)
    const written = await this.#ports.store.transact({
      compare: [isAtRevision(key, entry?.modRevision ?? 0)],
      success: [{ type: 'put', key, value }],
      failure: [{ type: 'get', key }],
    })
    if (written.outcome !== 'done' || this.#ports.isSettling?.() === true) return { outcome: 'unknown' }
    if (written.result.succeeded) return { outcome: 'kept' }
    const [found] = written.result.results
    const changed =
      found?.type === 'get' && found.entry !== undefined ? decodeOwnership(found.entry) : undefined
    return outcomeOf(changed, this.#nodeId)
  }

  /** Who owns it now, without changing anything: never `kept`. */
  async find(clientId: ClientId): Promise<MoveOutcome> {
    const read = await this.#read(clientId)
    return read === 'unknown' ? { outcome: read } : outcomeOf(read.record, this.#nodeId)
  }

  /** The token under which this node owns what it has staged, undefined when the swap never came. Rejects. */
  async tokenOfStaged(clientId: ClientId, from: StagedOrigin): Promise<FencingToken | undefined> {
    const key = this.#keys.session(clientId)
    const get = { compare: [], success: [{ type: 'get', key } as const], failure: [] }
    const [found] = resultOf(await this.#ports.store.transact(get)).results
    const record =
      found?.type === 'get' && found.entry !== undefined ? decodeOwnership(found.entry) : undefined
    const isOurs = record?.node === this.#nodeId && record.how === 'moved' && record.from === from.nodeId
    return isOurs && compareTokens(record.token, from.token) > 0 ? record.token : undefined
  }

  async #read(
    clientId: ClientId,
  ): Promise<{ entry: CoordinationEntry | undefined; record: StoredOwnership | undefined } | 'unknown'> {
    const key = this.#keys.session(clientId)
    const outcome = await this.#ports.store.transact({
      compare: [],
      success: [{ type: 'get', key }],
      failure: [],
    })
    if (outcome.outcome !== 'done' || this.#ports.isSettling?.() === true) return 'unknown'
    const [found] = outcome.result.results
    const entry = found?.type === 'get' ? found.entry : undefined
    return { entry, record: entry && decodeOwnership(entry) }
  }
}

/** A record of this node under another token means that a claim of its own is at work, which settles the matter. */
function outcomeOf(record: StoredOwnership | undefined, nodeId: NodeId): MoveOutcome {
  if (record === undefined) return { outcome: 'ended' }
  return record.node === nodeId ? { outcome: 'unknown' } : { outcome: 'moved', to: record.node }
}
