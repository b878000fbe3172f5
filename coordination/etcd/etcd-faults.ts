import { EtcdLeaseInvalidError } from 'etcd3'
import { errorMessage } from '../../src/core/errors.ts'

/**
 * What a failed call means. `refused`: etcd answered that it will not carry it out. `notSent`: it never left this
 * process. `unknown`: anything else; it may have been carried out, or still be.
 */
export type EtcdFault = { readonly kind: 'refused' | 'notSent' | 'unknown'; readonly reason: string }

/** gRPC status codes with which etcd refuses a request before proposing it; only when the text is etcd's own. */
const REFUSALS = new Set([3, 5, 7, 8, 9, 11, 16])

/** Texts of grpc-js for calls that were never handed to a connection. */
const NOT_SENT = [
  'No connection established',
  'Channel closed before call started',
  'Channel has been shut down',
  'Name resolution failed',
]

export function etcdFault(error: unknown): EtcdFault {
  const reason = faultReason(error)
  if (error instanceof EtcdLeaseInvalidError) return { kind: 'refused', reason: 'lease not found' }
  const message = errorMessage(error)
  if (NOT_SENT.some(text => message.includes(text))) return { kind: 'notSent', reason }
  const code = Number(/^\d+/.exec(message)?.[0] ?? NaN)
  return { kind: REFUSALS.has(code) && message.includes('etcdserver: ') ? 'refused' : 'unknown', reason }
}

/** The error in one line, without gRPC's ornaments. */
export function faultReason(error: unknown): string {
  return errorMessage(error)
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? Resolution note:.*$/s, '')
    .replace(/\s+/g, ' ')
    .slice(0, 200)
}
