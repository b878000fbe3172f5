import { hostname } from 'node:os'
import { z } from 'zod'
import { limits } from '../core/limits.ts'
import { isNodeId } from '../core/ids.ts'

/** The longest interval a timer takes. */
const MS_MAX = 2 ** 31 - 1

const port = z.int().min(0).max(65_535)
const milliseconds = z.int().min(1).max(MS_MAX)
const host = z.string().min(1)
const path = z.string().min(1)
const webSocketPath = z
  .string()
  .regex(/^\/[^?#\s]*$/, 'expected a path like /mqtt')
  .default('/mqtt')

/** The host's name as a node id: without its domain, other characters replaced. */
function defaultNodeId(): string {
  const name = (hostname().split('.')[0] ?? '').replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 64)
  return isNodeId(name) ? name : 'node-0'
}

/**
 * Every configuration key with its type, bounds, default and meaning. File keys, flags, variables, their help and the
 * type `NodeConfig` follow from it. Units are last in the name.
 */
export const configSchema = z.strictObject({
  node: z
    .strictObject({
      id: z
        .string()
        .refine(isNodeId, 'expected 1–64 of A-Z a-z 0-9 . _ -, a letter or digit first')
        .default(defaultNodeId)
        .describe('name of this node, unique in the cluster; by default the host name'),
      cluster: z
        .string()
        .regex(
          /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
          'expected 1–64 of A-Z a-z 0-9 . _ -, a letter or digit first',
        )
        .default('grapevine')
        .describe('name of the cluster; nodes with another name are strangers'),
      dataDir: z.string().min(1).default('./grapevine-data').describe('directory of this node alone'),
    })
    .prefault({}),
  mqtt: z
    .strictObject({
      host: host.default('0.0.0.0').describe('address clients connect to'),
      port: port.default(1883).describe('MQTT port, 0 for a free one'),
      keepAliveMax: z
        .int()
        .min(0)
        .max(65_535)
        .default(0)
        .describe('longest keep alive granted to a client in seconds, 0 leaves it to the client'),
      packetBytesMax: z
        .int()
        .min(1024)
        .max(limits.packetBytesMax)
        .default(1_048_576)
        .describe('largest MQTT packet taken; a larger one closes the connection'),
      topicLevelsMax: z.int().min(1).max(32_768).default(128).describe('levels a topic or filter may have'),
      receiveMax: z
        .int()
        .min(1)
        .max(65_535)
        .default(1024)
        .describe('publishes of one client that may wait for their acknowledgement'),
      connectionsMax: z
        .int()
        .min(1)
        .max(10_000_000)
        .default(1_000_000)
        .describe('clients connected to this node at once; more are refused'),
      topicAliasMax: z
        .int()
        .min(0)
        .max(65_535)
        .default(16)
        .describe('topic aliases one client may use towards the broker, 0 for none'),
      retainAvailable: z.boolean().default(true).describe('whether retained messages are kept'),
      wildcardAvailable: z.boolean().default(true).describe('whether filters may have wildcards'),
      sharedAvailable: z.boolean().default(true).describe('whether there are shared subscriptions'),
      responseTopicPrefix: z
        .string()
        .max(256)
        .regex(/^[^+#]*$/, 'expected a topic without wildcards')
        .default('')
        .describe(
          'Response Information for clients that ask is this and their client id; empty: none is given',
        ),
      sysIntervalMs: z
        .int()
        .min(0)
        .max(3_600_000)
        .default(10_000)
        .describe('time between updates of $SYS/broker/…, 0 for none'),
      tls: z
        .strictObject({
          host: host.default('0.0.0.0').describe('address TLS clients connect to'),
          port: port
            .optional()
            .describe('MQTT over TLS port (usually 8883), 0 for a free one; without it there is none'),
          certFile: path
            .optional()
            .describe('PEM file of the certificate and its chain, for TLS and secure WebSocket'),
          keyFile: path.optional().describe('PEM file of the certificate’s private key'),
        })
        .prefault({}),
      ws: z
        .strictObject({
          host: host.default('0.0.0.0').describe('address WebSocket clients connect to'),
          port: port
            .optional()
            .describe('MQTT over WebSocket port, 0 for a free one; without it there is none'),
          path: webSocketPath.describe('HTTP path of the WebSocket'),
        })
        .prefault({}),
      wss: z
        .strictObject({
          host: host.default('0.0.0.0').describe('address secure WebSocket clients connect to'),
          port: port
            .optional()
            .describe('MQTT over secure WebSocket port, 0 for a free one; without it there is none'),
          path: webSocketPath.describe('HTTP path of the secure WebSocket'),
        })
        .prefault({}),
    })
    .prefault({}),
  mesh: z
    .strictObject({
      host: host.default('0.0.0.0').describe('address other nodes connect to'),
      port: port.default(7883).describe('port of the mesh, 0 for a free one'),
      announce: z
        .array(
          z
            .string()
            .regex(
              /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+/,
              'expected a multiaddr like /ip4/10.0.0.1/tcp/7883',
            ),
        )
        .default([])
        .describe('multiaddrs other nodes shall dial; empty: derived from the interfaces'),
    })
    .prefault({}),
  coordination: z
    .strictObject({
      store: z
        .enum(['embedded', 'etcd'])
        .default('embedded')
        .describe('where membership, ownership and leadership are kept; embedded is for a single node'),
      etcd: z
        .strictObject({
          endpoints: z
            .array(z.url({ protocol: /^https?$/, error: 'expected a URL like http://127.0.0.1:2379' }))
            .min(1)
            .default(['http://127.0.0.1:2379'])
            .describe('client URLs of etcd, with ports: all http or all https'),
          timeoutMs: milliseconds.default(3000).describe('how long one request to etcd may take'),
          caFile: path
            .optional()
            .describe(
              'PEM file of the authority that signed etcd’s certificate; without it the usual public ones are trusted',
            ),
          certFile: path
            .optional()
            .describe('PEM file of the certificate this node shows etcd, with its chain'),
          keyFile: path.optional().describe('PEM file of that certificate’s private key'),
          username: z.string().min(1).optional().describe('user this node logs in to etcd as'),
          passwordFile: path.optional().describe('file that holds that user’s password alone'),
          quotaBytes: z
            .int()
            .min(0)
            .max(2 ** 40)
            .default(2_147_483_648)
            .describe(
              'the --quota-backend-bytes of etcd, which it does not tell; at 80 % new persistent sessions are refused, 0 for never',
            ),
        })
        .prefault({}),
      leaseTtlMs: milliseconds.min(1000).default(10_000).describe('a silent node is dead after this'),
      renewIntervalMs: milliseconds.default(2500).describe('how often the lease is renewed'),
      leaseMarginMs: milliseconds
        .default(1500)
        .describe('a node that cannot renew suspends itself this long before its lease ends'),
      suspendHoldMs: z
        .int()
        .min(0)
        .max(MS_MAX)
        .default(30_000)
        .describe(
          'how long a suspended node holds back what it may not send before it closes those connections',
        ),
    })
    .prefault({}),
  routing: z
    .strictObject({
      mode: z
        .enum(['gossip', 'etcd'])
        .default('gossip')
        .describe(
          'how changes of subscriptions travel in a new cluster: by gossip between the nodes, or through the coordination store; later changed by `grapevine mode set` only',
        ),
      batchIntervalMs: milliseconds
        .default(20)
        .describe('subscription changes are gathered this long before they are spread'),
      digestIntervalMs: milliseconds
        .default(1000)
        .describe('how often nodes compare what they know of each other'),
      subackBarrier: z
        .enum(['local', 'quorum', 'all'])
        .default('local')
        .describe(
          'which nodes must know a subscription before SUBACK: this one, most, or all; a SUBSCRIBE may say otherwise by the user property suback-barrier',
        ),
      barrierTimeoutMs: milliseconds
        .default(2000)
        .describe('a subscription whose barrier is not reached by then is refused with 0x80'),
      sharedStrategy: z
        .enum(['round-robin', 'random', 'local-first', 'sticky', 'hash-topic'])
        .default('round-robin')
        .describe(
          'which member of a shared subscription gets a message: in turn, at random, one of this node’s first, always the same for one publisher, or for one topic; one that cannot take it now is passed over',
        ),
      acceptTimeoutMs: milliseconds
        .default(1000)
        .describe(
          'a node that has not accepted a message of QoS 1 or 2 by then gets it, and what follows, through an outbox on disk',
        ),
    })
    .prefault({}),
  sessions: z
    .strictObject({
      expiryIntervalMax: z
        .int()
        .min(0)
        .max(4_294_967_295)
        .default(604_800)
        .describe('longest life of a session without a connection in seconds'),
      inflightMax: z
        .int()
        .min(1)
        .max(65_535)
        .default(32)
        .describe('messages sent to one client that may wait for its acknowledgement'),
      subscriptionsMax: z
        .int()
        .min(1)
        .max(10_000_000)
        .default(10_000)
        .describe('subscriptions of one session; more are refused with 0x97'),
      wildcardLevelsMax: z
        .int()
        .min(1)
        .max(100_000_000)
        .default(20_000)
        .describe(
          'levels from the first + on, added up over all filters of one session: the most steps they add to the matching of one topic; more are refused with 0x97',
        ),
      onOwnerLost: z
        .enum(['wait', 'fresh'])
        .default('wait')
        .describe(
          'what a client gets that comes for a session a dead node has on its disk: wait refuses it until that node is back, fresh begins a new session after one lease TTL',
        ),
      keptWillBytesMax: z
        .int()
        .min(0)
        .max(2 ** 40)
        .default(67_108_864)
        .describe(
          'bytes of wills this node keeps in the coordination store, so that they are published though it dies; the wills of further clients die with it',
        ),
      drainTimeoutMs: z
        .int()
        .min(0)
        .max(MS_MAX)
        .default(30_000)
        .describe(
          'how long a node that is asked to stop hands its clients and sessions to the others before it does, 0 for not at all',
        ),
      serverReference: z
        .string()
        .min(1)
        .max(1024)
        .optional()
        .describe(
          'where MQTT 5 clients are sent by a node that drains (Server Reference), like mqtt.example.com:1883',
        ),
      serverMoved: z
        .boolean()
        .default(false)
        .describe(
          'tell them that this is for good (Server moved, 0x9D), not only for now (Use another server, 0x9C)',
        ),
    })
    .prefault({}),
  queues: z
    .strictObject({
      sessionMessagesMax: z
        .int()
        .min(1)
        .max(10_000_000)
        .default(1000)
        .describe('messages waiting in one session; more are dropped and counted'),
      sessionBytesMax: z
        .int()
        .min(1024)
        .max(2 ** 40)
        .default(16_777_216)
        .describe('bytes waiting in one session; more are dropped and counted'),
      sessionDrop: z
        .enum(['newest', 'oldest'])
        .default('newest')
        .describe('which message a full session loses: the one that comes, or the oldest that waits'),
      outboxMessagesMax: z
        .int()
        .min(1)
        .max(100_000_000)
        .default(1_000_000)
        .describe(
          'messages kept on disk for one node that is late or gone; beyond it publishers wait for a late one, and messages to one that is gone are dropped and counted; grapevine nodes forget ends it for one that will not return',
        ),
      outboxBytesMax: z
        .int()
        .min(limits.peerFrameBytesMax)
        .max(2 ** 40)
        .default(268_435_456)
        .describe('bytes kept on disk for one node that is late or gone; as outboxMessagesMax'),
    })
    .prefault({}),
  retained: z
    .strictObject({
      messagesMax: z
        .int()
        .min(0)
        .max(100_000_000)
        .default(1_000_000)
        .describe('retained messages kept; beyond it new topics are not retained, and counted'),
      bytesMax: z
        .int()
        .min(0)
        .max(2 ** 40)
        .default(1_073_741_824)
        .describe(
          'bytes of retained messages kept on one node; beyond it messages are not retained, and counted',
        ),
      inlineBytesMax: z
        .int()
        .min(0)
        .max(limits.packetBytesMax)
        .default(1024)
        .describe(
          'retained messages with larger payloads have these on two nodes only, chosen by topic; the others fetch them when a client subscribes',
        ),
      tombstoneTtlMs: milliseconds
        .default(86_400_000)
        .describe(
          'how long a deleted retained message is remembered; a node away for longer begins with the copy of the others',
        ),
      digestIntervalMs: milliseconds
        .default(5000)
        .describe('how often nodes compare their retained messages'),
    })
    .prefault({}),
  storage: z
    .strictObject({
      sync: z
        .enum(['always', 'batch', 'never'])
        .default('batch')
        .describe(
          'when writes reach the disk: before each acknowledgement, every syncIntervalMs, or when the system likes',
        ),
      syncIntervalMs: milliseconds.default(100).describe('how often `sync: batch` reaches the disk'),
    })
    .prefault({}),
  auth: z
    .strictObject({
      anonymous: z.boolean().default(false).describe('whether clients may connect without credentials'),
      scram: z
        .strictObject({
          file: path
            .optional()
            .describe(
              'verifiers for the authentication method SCRAM-SHA-256, one user a line; without it there is none',
            ),
        })
        .prefault({}),
    })
    .prefault({}),
  admin: z
    .strictObject({
      host: host
        .default('127.0.0.1')
        .describe('address of the admin HTTP interface; other than loopback needs a token'),
      port: port.default(8080).describe('port of the admin HTTP interface, 0 for a free one'),
      token: z
        .string()
        .min(16, 'expected at least 16 characters')
        .regex(/^[\x21-\x7e]*$/, 'expected printable ASCII without spaces')
        .optional()
        .meta({ description: 'bearer token asked of everything but /health', secret: true }),
    })
    .prefault({}),
  observability: z
    .strictObject({
      otlpEndpoint: z
        .url({ protocol: /^https?$/, error: 'expected a URL like http://127.0.0.1:4318/v1/traces' })
        .optional()
        .describe(
          'URL of an OpenTelemetry collector that takes traces by OTLP over HTTP, like http://127.0.0.1:4318/v1/traces; it gets the spans of messages followed by grapevine trace',
        ),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('least level that is logged'),
      format: z
        .enum(['auto', 'json', 'pretty'])
        .default('auto')
        .describe('auto: pretty on a terminal, JSON lines elsewhere'),
    })
    .prefault({}),
})

/** The effective configuration of one node. */
export type NodeConfig = z.output<typeof configSchema>

/** What has to be said of it: every key is optional. */
export type NodeConfigInput = z.input<typeof configSchema>
