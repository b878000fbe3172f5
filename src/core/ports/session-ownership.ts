import type { ClientId, FencingToken } from '../ids.ts'

export type ClaimAnswer =
  | {
      readonly status: 'claimed'
      readonly token: FencingToken
      /**
       * Token of this node's own earlier ownership when nobody owned the session in between: state stored under exactly this
       * token may be resumed. Otherwise the session starts fresh.
       */
      readonly resumableToken: FencingToken | undefined
    }
  | {
      readonly status: 'refused'
      /**
       * `unavailable`: the coordination store does not answer. `owner-unreachable`: the owner lives but cannot be asked.
       * `contended`: other nodes kept winning. `suspended`: this node cannot hold its lease.
       */
      readonly reason: 'unavailable' | 'owner-unreachable' | 'contended' | 'suspended'
    }

/** The side of the node that holds clients: told when ownership leaves. */
export interface SessionHolder {
  /**
   * Another node takes the session over: stop serving its client (0x8E) and forget its state, in this turn. Unknown
   * client ids are fine.
   */
  surrender(clientId: ClientId): void
}

/** Who may serve a client id, cluster-wide (DESIGN section 4.1). */
export interface SessionOwnership {
  /**
   * Makes this node the owner, taking the session from another with its consent. Settles within a bounded time and never
   * rejects. Not to be called again for the same client id before it settled.
   */
  claim(clientId: ClientId): Promise<ClaimAnswer>
  /** Gives up an ownership, lazily, unless it has been taken in the meantime. */
  release(clientId: ClientId, token: FencingToken): void
  /**
   * Whether this node holds its lease at this instant. Checked in the same turn as every acknowledgement leaves; while
   * false the node is suspended: no QoS ≥ 1 acknowledgement, delivery or session change.
   */
  mayAcknowledge(): boolean
}
