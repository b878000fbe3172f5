import { isNodeId, type ClientId, type Incarnation, type NodeId } from '../src/core/ids.ts'

/** Records of sessions are spread over this many buckets, each small enough to be read whole. */
export const SESSION_BUCKETS = 4096

/**
 * Every name this cluster has in the coordination store (PROTOCOLS section 1), and nowhere else: all keys start with
 * `/grapevine/<cluster>/`. A client id is the rest of its key, whatever characters it has.
 */
export class CoordinationKeys {
  /** Prefix of all member keys. */
  readonly members: string
  /** Prefix of the incarnation keys: one of every node there has been. */
  readonly incarnations: string
  /** On the leader's lease. */
  readonly leader: string
  /** Epoch of the store: an integer ≥ 1 that rises when the store was restored or emptied. */
  readonly epoch: string
  /** Prefix of the wills of all nodes. */
  readonly wills: string
  /** Prefix of the notes that an incarnation is dead: JSON {"atMs": wall time, "drained": boolean}. */
  readonly deads: string
  /** Prefix of the wills a leader is publishing. */
  readonly firings: string
  /** Prefix of the session records of all buckets. */
  readonly sessions: string
  /** How the changes of subscriptions travel, and a switch under way; see `mode-record.ts`. */
  readonly mode: string
  /** Prefix of what nodes have done of a switch; `mode` is a prefix of it, too. */
  readonly modeAcks: string
  /** Rewritten whenever a life registers; its mod revision is the generation of the members. */
  readonly generation: string
  readonly #root: string

  constructor(cluster: string) {
    this.#root = `/grapevine/${cluster}/`
    this.members = `${this.#root}members/`
    this.incarnations = `${this.#root}incarnations/`
    this.leader = `${this.#root}leader`
    this.epoch = `${this.#root}settings/epoch`
    this.wills = `${this.#root}wills/`
    this.deads = `${this.#root}dead/`
    this.firings = `${this.#root}firing/`
    this.sessions = `${this.#root}sessions/`
    this.mode = `${this.#root}settings/mode`
    this.modeAcks = `${this.mode}-acks/`
    this.generation = `${this.#root}settings/generation`
  }

  /** Prefix of the member keys of one node, over its incarnations. */
  membersOf(nodeId: NodeId): string {
    return `${this.members}${nodeId}/`
  }

  member(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.members}${nodeId}/${incarnation}`
  }

  /** The node and incarnation a member key names; undefined for anything else. */
  parseMember(key: string): LifeName | undefined {
    return parseLife(this.members, key)
  }

  /** What that life has done of a switch of the mode; on its lease. */
  modeAck(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.modeAcks}${nodeId}/${incarnation}`
  }

  /** Prefix of the interest of one life; on its lease. */
  routesOf(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.#root}routes/${nodeId}/${incarnation}/`
  }

  /** Rewritten at the start of each life of the node; its mod revision is that life's incarnation. */
  incarnation(nodeId: NodeId): string {
    return this.incarnations + nodeId
  }

  /** The node an incarnation key is of; undefined for anything else. */
  parseIncarnation(key: string): NodeId | undefined {
    const nodeId = key.startsWith(this.incarnations) ? key.slice(this.incarnations.length) : ''
    return isNodeId(nodeId) ? nodeId : undefined
  }

  session(clientId: ClientId): string {
    return this.sessionsBucket(sessionBucket(clientId)) + clientId
  }

  /** Prefix of the session records of one bucket, 0 to SESSION_BUCKETS - 1; what follows it in a key is the client id. */
  sessionsBucket(bucket: number): string {
    return `${this.sessions}${String(bucket).padStart(4, '0')}/`
  }

  /** Written in the transaction that takes a session from a dead incarnation: the session is lost to it. */
  lost(nodeId: NodeId, incarnation: Incarnation, clientId: ClientId): string {
    return this.lostOf(nodeId, incarnation) + clientId
  }

  /** Prefix of the sessions taken from one incarnation; what follows it in a key is the client id. */
  lostOf(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.#root}lost/${nodeId}/${incarnation}/`
  }

  /** Prefix of the questions put to that life by others that have no link to it (see `session-handoff.ts`). */
  handoffsTo({ nodeId, incarnation }: LifeName): string {
    return `${this.#root}handoff/${nodeId}/${incarnation}/`
  }

  /** Prefix of those put by `claimant`, on its lease; numbers follow. */
  handoffsBetween(owner: LifeName, claimant: LifeName): string {
    return `${this.handoffsTo(owner)}${claimant.nodeId}/${claimant.incarnation}/`
  }

  /** Who put the question that has this key; undefined for anything else. */
  claimantOf(handoffKey: string): NodeId | undefined {
    const prefix = `${this.#root}handoff/`
    const [, , claimant = ''] = handoffKey.startsWith(prefix)
      ? handoffKey.slice(prefix.length).split('/')
      : []
    return isNodeId(claimant) ? claimant : undefined
  }

  /** Whose promises that incarnation relies on when it cannot renew its lease (see `reliance.ts`); on no lease. */
  relies(nodeId: NodeId, incarnation: Incarnation): string {
    return this.reliesOf(nodeId) + String(incarnation)
  }

  /** Prefix of that of all lives. */
  get reliances(): string {
    return `${this.#root}relies/`
  }

  /** Whose it is; undefined for anything else. */
  parseReliance(key: string): LifeName | undefined {
    return parseLife(this.reliances, key)
  }

  /** Prefix of what the lives of one node relied on. */
  reliesOf(nodeId: NodeId): string {
    return `${this.reliances}${nodeId}/`
  }

  /** The will of a client connected at that incarnation. */
  will(nodeId: NodeId, incarnation: Incarnation, clientId: ClientId): string {
    return this.willsOf(nodeId, incarnation) + clientId
  }

  /** Prefix of the wills of one incarnation's clients; what follows it in a key is the client id. */
  willsOf(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.wills}${nodeId}/${incarnation}/`
  }

  /** The node, incarnation and client id a will's key names; undefined for anything else. */
  parseWill(key: string): (LifeName & { clientId: ClientId }) | undefined {
    const [, nodeId, incarnation, clientId] =
      /^([^/]+)\/([^/]+)\/(.+)$/su.exec(key.startsWith(this.wills) ? key.slice(this.wills.length) : '') ?? []
    const life = parseLife(this.wills, `${this.wills}${nodeId}/${incarnation}`)
    return life && clientId !== undefined ? { ...life, clientId } : undefined
  }

  /** There when the incarnation is known to be dead for good, or to have left with nothing on its disk. */
  dead(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.deads}${nodeId}/${incarnation}`
  }

  /** The node and incarnation a note of death names; undefined for anything else. */
  parseDead(key: string): LifeName | undefined {
    return parseLife(this.deads, key)
  }

  /** A will being published: the incarnation and number of its message id. */
  firing(incarnation: Incarnation, number: number): string {
    return `${this.firings}${incarnation}/${number}`
  }
}

/** One life of one node. */
export interface LifeName {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
}

function parseLife(prefix: string, key: string): LifeName | undefined {
  if (!key.startsWith(prefix)) return undefined
  const [nodeId, incarnation, ...rest] = key.slice(prefix.length).split('/')
  if (!nodeId || !incarnation || rest.length > 0 || !/^[1-9][0-9]{0,15}$/.test(incarnation)) return undefined
  return { nodeId, incarnation: Number(incarnation) }
}

/** Bucket of a client id: FNV-1a over its UTF-16 code units, low byte first, folded to 12 bits. */
export function sessionBucket(clientId: ClientId): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < clientId.length; i++) {
    const unit = clientId.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return (hash ^ (hash >>> 12) ^ (hash >>> 24)) & (SESSION_BUCKETS - 1)
}
