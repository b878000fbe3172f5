import { EtcdLeaseInvalidError } from 'etcd3'
import { errorMessage, GrapevineError } from '../../src/core/errors.ts'

/** What is wrong, as far as etcd or gRPC tell; each has its words for operators below. */
export type EtcdFaultName =
  | 'no-connection'
  | 'late'
  | 'name-unknown'
  | 'not-etcd'
  | 'not-trusted'
  | 'wrong-host-name'
  | 'certificate-outdated'
  | 'client-certificate'
  | 'no-tls'
  | 'wrong-password'
  | 'auth-disabled'
  | 'forbidden'
  | 'token-unknown'
  | 'no-space'
  | 'corrupt'
  | 'no-leader'
  | 'overloaded'
  | 'other'

/**
 * What a failed call means. `refused`: etcd answered that it will not carry it out. `notSent`: it never left this
 * process. `unknown`: anything else; it may have been carried out, or still be.
 */
export interface EtcdFault {
  readonly kind: 'refused' | 'notSent' | 'unknown'
  readonly name: EtcdFaultName
  readonly reason: string
  /** It is not about the request: others are answered so as well, until an operator mends it. */
  readonly isStanding: boolean
}

/** gRPC status codes with which etcd refuses a request before proposing it; only when the text is etcd's own. */
const REFUSALS = new Set([3, 5, 7, 8, 9, 11, 16])

/** Texts of grpc-js for calls that were never handed to a connection. */
const NOT_SENT = [
  'No connection established',
  'Channel closed before call started',
  'Channel has been shut down',
  'Name resolution failed',
  'Waiting for LB pick',
]

/** How each fault is known and what an operator is told; the first that fits counts. */
const FAULTS: readonly (readonly [EtcdFaultName, RegExp, advice: string])[] = [
  [
    'wrong-host-name',
    /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate/,
    'etcd’s certificate is for another name; use a name or address it holds in coordination.etcd.endpoints, or give etcd a certificate with this one',
  ],
  [
    'certificate-outdated',
    /certificate has expired|certificate is not yet valid|CERT_HAS_EXPIRED|alert certificate expired/,
    'a certificate is out of date; renew it, and check the clocks of both machines',
  ],
  [
    'not-trusted',
    /unable to verify|self[- ]signed certificate|unable to get (local )?issuer|certificate signature failure/,
    'etcd’s certificate is not signed by an authority this node trusts; set coordination.etcd.caFile to the one that signed it',
  ],
  [
    'client-certificate',
    /alert (bad certificate|certificate required|unknown ca|unsupported certificate|certificate unknown|certificate revoked|access denied)|ALERT_CERTIFICATE/i,
    'etcd does not accept this node’s certificate, or got none; set coordination.etcd.certFile and keyFile to one signed by an authority etcd trusts',
  ],
  [
    'no-tls',
    /wrong version number|packet length too long/,
    'what listens there does not speak TLS; use http:// in coordination.etcd.endpoints, or correct the port',
  ],
  [
    'not-etcd',
    /Protocol error|Received HTTP status code|unknown (service|method)|UNIMPLEMENTED|invalid content-type/i,
    'what listens there is not etcd’s client port; correct coordination.etcd.endpoints (etcd’s is usually 2379, its peer port 2380 does not do)',
  ],
  [
    'wrong-password',
    /invalid user ID or password|user name not found/,
    'etcd knows no such user with this password; correct coordination.etcd.username or what passwordFile holds',
  ],
  [
    'auth-disabled',
    /authentication is not enabled/,
    'this etcd asks for no password; remove coordination.etcd.username and passwordFile, or enable authentication in etcd',
  ],
  [
    'forbidden',
    /etcdserver: permission denied|user name is empty/,
    'etcd does not let this user read and write there; set coordination.etcd.username and passwordFile, and grant the user readwrite with --prefix on /grapevine/<cluster>/',
  ],
  ['token-unknown', /the login ran out/, 'it is renewed'],
  [
    'no-space',
    /database space exceeded|NOSPACE/,
    'etcd is full (NOSPACE) and takes no writes; compact and defragment it, raise --quota-backend-bytes if need be, then `etcdctl alarm disarm`',
  ],
  [
    'corrupt',
    /corrupt cluster|alarm:CORRUPT|data inconsistency/i,
    'etcd found its own data damaged (CORRUPT) and takes no writes; restore the member concerned from the others',
  ],
  [
    'no-leader',
    /no leader|leader changed|raft proposal dropped|not leader/,
    'etcd has no leader: too few of its members reach one another; start them, or mend their network',
  ],
  [
    'overloaded',
    /too many requests|request timed out/,
    'etcd is overloaded or its disk is slow; look at its disk and its log',
  ],
  [
    'name-unknown',
    /Name resolution failed|ENOTFOUND/,
    'the host name is not known; correct the endpoint or the DNS',
  ],
  [
    'no-connection',
    /Failed to connect|Waiting for LB pick/,
    'nothing answers there in time; start etcd, correct the endpoint, or use https:// if that port speaks TLS',
  ],
  [
    'no-connection',
    /ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|No connection established|Channel closed/,
    'start etcd, or correct the endpoint',
  ],
  ['late', /Deadline exceeded|DEADLINE_EXCEEDED/, 'etcd did not answer in time'],
]

/** Faults with which etcd answers whatever a node needs, until an operator mends them. */
const STANDING: ReadonlySet<EtcdFaultName> = new Set<EtcdFaultName>([
  'wrong-password',
  'auth-disabled',
  'forbidden',
  'no-space',
  'corrupt',
])

export function etcdFault(error: unknown): EtcdFault {
  const reason = faultReason(error)
  const message = errorMessage(error)
  const name = faultOf(message)?.[0] ?? 'other'
  const isStanding = STANDING.has(name)
  if (error instanceof EtcdLeaseInvalidError)
    return { kind: 'refused', name, reason: 'lease not found', isStanding }
  if (NOT_SENT.some(text => message.includes(text))) return { kind: 'notSent', name, reason, isStanding }
  const code = Number(/^\d+/.exec(message)?.[0] ?? NaN)
  const isRefusal = REFUSALS.has(code) && message.includes('etcdserver: ')
  return { kind: isRefusal ? 'refused' : 'unknown', name, reason, isStanding }
}

/** The error in one line, without gRPC's and OpenSSL's ornaments, and what to do about it. */
export function faultReason(error: unknown): string {
  const message = errorMessage(error)
  // Of this store's own: it holds all that already.
  if (error instanceof GrapevineError) return message
  const text = message
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/^No connection established\. Last error: (Error( \[\w+\])?: )?/, '')
    .replace(/[\s.]*Resolution note:.*$/s, '')
    .replace(/^null$/, 'no connection')
    .replace(/\s*\(\d{4}-[\dT:.-]+Z\)$/, '')
    .replace(/[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:(?:ssl\/)?([^:]+):.*$/s, '$1')
    .replace(/; if the root CA is installed locally, try .*$/, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 200)
  const advice = faultOf(message)?.[2]
  return advice === undefined ? text : `${text}: ${advice}`
}

function faultOf(message: string): (typeof FAULTS)[number] | undefined {
  return FAULTS.find(([, pattern]) => pattern.test(message))
}

const MINIMUM = [3, 4] as const

/** Whether the store's rules (nested transactions, leases kept over a change of leader) hold in that version of etcd. */
export function isSupportedVersion(version: string): boolean {
  const [major = NaN, minor = NaN] = version.split('.').map(Number)
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])
}
