/**
 * The faults this project reports to people. Peer and client faults are values (reason codes) and do not appear
 * here; a broken invariant is a plain `Error` and stops the node.
 *
 * Every message says what happened, what it means and what to do, on one line.
 */
export const errorCodes = {
  CONFIG_INVALID: 'the configuration has mistakes; nothing was started',
  CONFIG_FILE_UNREADABLE: 'the configuration file cannot be read or is not YAML',
  PORT_IN_USE: 'another process listens on a port this node needs',
  ADDRESS_UNAVAILABLE: 'a listen address does not exist here or may not be used',
  TLS_FILES_UNUSABLE: 'a certificate or key file of a TLS listener is missing, unreadable or does not fit',
  DATA_DIR_UNWRITABLE: 'the data directory cannot be created or written',
  DATA_DIR_FOREIGN: 'the data directory belongs to another cluster, node or coordinator, or is not ours',
  DATA_DIR_LOCKED: 'another process has the data directory open',
  AUTH_FILE_INVALID: 'the file of user verifiers cannot be read or has a broken line',
  STORE_CORRUPT: 'the local store cannot be read back as it was written',
  STORE_FAILED: 'a write to the local store failed; the node stops',
  ETCD_UNREACHABLE: 'no configured etcd endpoint answered in time',
  ETCD_FILES_UNUSABLE: 'a file this node needs to reach etcd is missing, unreadable or does not fit',
  ETCD_REFUSED: 'etcd, or what listens in its place, does not let this node in, or is not trusted by it',
  ETCD_UNSUPPORTED: 'the etcd that answers is too old',
  ETCD_NOT_FOUND: 'no etcd program is on PATH',
  NODE_ID_TAKEN: 'a live member of the cluster already has this node id',
  COORDINATION_CLOSED: 'the coordination store was closed while a call was under way',
  COORDINATION_UNAVAILABLE: 'the coordination store did not answer in time',
  ADMIN_UNREACHABLE: 'no Grapevine node answers at the admin address',
  ADMIN_REFUSED: 'a node answered that it cannot do what was asked',
  SESSION_UNKNOWN: 'nobody owns a session with that client id',
  NODE_UNKNOWN: 'no member of the cluster has that node id',
  TOPIC_INVALID: 'a topic name or filter breaks the rules of MQTT or a limit of the node',
} as const

export type ErrorCode = keyof typeof errorCodes

/** A fault with a code and a one-line message meant for an operator. `cause` keeps the original error. */
export class GrapevineError extends Error {
  override readonly name = 'GrapevineError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The system error code (`EADDRINUSE` …) of an unknown thrown value, or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The message of an unknown thrown value, without a stack. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
