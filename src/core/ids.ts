/** Name of a broker in the cluster, unique, chosen by the operator: 1–64 of `[A-Za-z0-9._-]`. */
export type NodeId = string

/** MQTT client identifier; at most `limits.clientIdBytesMax` bytes of UTF-8. */
export type ClientId = string

/**
 * One life of a broker process: an etcd revision, so a later life of the same node has a higher number.
 * 0 is never a valid incarnation.
 */
export type Incarnation = number

/**
 * Fencing token of a session's ownership (PROTOCOLS section 1): ordered per client id only.
 * `epoch` changes when the coordination store was restored or emptied; `revision` is the store revision of the
 * last change of owner.
 */
export interface FencingToken {
  readonly epoch: number
  readonly revision: number
}

/** Negative, zero or positive as `a` is older than, equal to or newer than `b`. */
export function compareTokens(a: FencingToken, b: FencingToken): number {
  return a.epoch - b.epoch || a.revision - b.revision
}

const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export function isNodeId(text: string): boolean {
  return NODE_ID.test(text)
}
