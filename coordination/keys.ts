import type { ClientId, Incarnation, NodeId } from '../src/core/ids.ts'

/** Records of sessions are spread over this many buckets, each small enough to be read whole. */
export const SESSION_BUCKETS = 4096

/**
 * Every name this cluster has in the coordination store (PROTOCOLS section 1), and nowhere else: all keys start with
 * `/grapevine/<cluster>/`. A client id is the rest of its key, whatever characters it has.
 */
export class CoordinationKeys {
  /** Prefix of all member keys. */
  readonly members: string
  /** On the leader's lease. */
  readonly leader: string
  /** Epoch of the store: a number made once, new when the store was emptied. */
  readonly epoch: string
  readonly #root: string

  constructor(cluster: string) {
    this.#root = `/grapevine/${cluster}/`
    this.members = `${this.#root}members/`
    this.leader = `${this.#root}leader`
    this.epoch = `${this.#root}settings/epoch`
  }

  /** Prefix of the member keys of one node, over its incarnations. */
  membersOf(nodeId: NodeId): string {
    return `${this.members}${nodeId}/`
  }

  member(nodeId: NodeId, incarnation: Incarnation): string {
    return `${this.members}${nodeId}/${incarnation}`
  }

  /** The node and incarnation a member key names; undefined for anything else. */
  parseMember(key: string): { nodeId: NodeId; incarnation: Incarnation } | undefined {
    if (!key.startsWith(this.members)) return undefined
    const [nodeId, incarnation, ...rest] = key.slice(this.members.length).split('/')
    if (!nodeId || !incarnation || rest.length > 0 || !/^[1-9][0-9]{0,15}$/.test(incarnation))
      return undefined
    return { nodeId, incarnation: Number(incarnation) }
  }

  /** Rewritten at the start of each life of the node; its mod revision is that life's incarnation. */
  incarnation(nodeId: NodeId): string {
    return `${this.#root}incarnations/${nodeId}`
  }

  session(clientId: ClientId): string {
    return `${this.#root}sessions/${String(sessionBucket(clientId)).padStart(4, '0')}/${clientId}`
  }
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
