/**
 * The composition root: the only place where cores meet adapters. It opens what a node stands on, in order, hands it to
 * `BrokerNode`, and closes it in reverse, also when the start fails halfway.
 */
import { join } from 'node:path'
import { EmbeddedCoordinationStore } from '../../coordination/embedded/embedded-coordination-store.ts'
import { readEtcdAccess } from '../../coordination/etcd/etcd-access.ts'
import { EtcdCoordinationStore } from '../../coordination/etcd/etcd-coordination-store.ts'
import { CoordinationKeys } from '../../coordination/keys.ts'
import { StoreGuard } from '../../coordination/store-guard.ts'
import { StoreSize } from '../../coordination/store-size.ts'
import { GossipsubGossip, gossipsubService } from '../../gossip/gossipsub-adapter.ts'
import { ScramSha256 } from '../auth/scram-sha-256.ts'
import { loadScramVerifiers } from '../auth/scram-verifier-file.ts'
import { createAdminServer } from '../admin/admin-server.ts'
import { packageVersion } from '../config/package-version.ts'
import type { NodeConfig } from '../config/schema.ts'
import type { AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { CoordinationStore } from '../core/ports/coordination-store.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Store } from '../core/ports/store.ts'
import { listen } from '../listeners/listen.ts'
import type { Listener, ListenerOptions } from '../listeners/listener.ts'
import { generateHostKey, openHostKey } from '../mesh/host-key.ts'
import { Libp2pPeerTransport } from '../mesh/libp2p-peer-transport.ts'
import { createMeshHost } from '../mesh/mesh-host.ts'
import { meshMetrics } from '../mesh/mesh-metrics.ts'
import { createLogger } from '../observability/logger.ts'
import { OtlpSpanExporter } from '../observability/otlp-span-exporter.ts'
import { JournalWriter } from '../storage/journal-writer.ts'
import { LevelStore } from '../storage/level-store.ts'
import { StoreOutboxJournal } from '../storage/store-outbox-journal.ts'
import { StoreSeenJournal } from '../storage/store-seen-journal.ts'
import { StoreEpochMemory } from '../storage/store-epoch-memory.ts'
import { StoreRetainedJournal } from '../storage/store-retained-journal.ts'
import { StoreSessionJournal } from '../storage/store-session-journal.ts'
import { SystemClock } from '../system/system-clock.ts'
import { SystemRandom } from '../system/system-random.ts'
import { BrokerNode } from './broker-node.ts'
import type { BrokerOptions } from './broker-ports.ts'
import { claimDataDir, dataDirId } from './data-dir.ts'
import type { GrapevineNode } from './grapevine-node.ts'
import { RunningNode } from './running-node.ts'
import { storeMetrics } from './store-metrics.ts'

const HOST_KEY = 'identity/host-key'

/** What a caller may bring instead of what the configuration would open; it stays the caller's to close. */
export interface NodeComponents {
  /** Shared by several embedded nodes of one process. */
  readonly coordinationStore?: CoordinationStore
  readonly logger?: Logger
}

/**
 * Starts a node. Resolves when it has joined its cluster and listens; `whenReady` tells when it serves clients. Rejects with
 * a `GrapevineError` for what an operator can mend; nothing is left open then.
 */
export async function createNode(
  config: NodeConfig,
  components: NodeComponents = {},
): Promise<GrapevineNode> {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const { id: nodeId, cluster, dataDir } = config.node
  const logger = (components.logger ?? createLogger(config.log)).child({ node: nodeId })
  const closers: (() => Promise<void>)[] = []
  try {
    const methods = await authenticationMethods(config, random)
    await claimDataDir(dataDir, { cluster, node: nodeId, coordination: config.coordination.store })
    const store = await LevelStore.open({ dir: join(dataDir, 'store'), ...config.storage, clock })
    closers.push(() => store.close())

    const { etcd } = config.coordination
    let coordinationStore = components.coordinationStore
    if (coordinationStore === undefined) {
      const own =
        config.coordination.store === 'etcd'
          ? await EtcdCoordinationStore.connect({
              ...etcd,
              access: await readEtcdAccess(etcd, etcd.endpoints),
              probeKey: new CoordinationKeys(cluster).epoch,
              clock,
              random,
              logger,
            })
          : await EmbeddedCoordinationStore.open({ store, clock, random })
      coordinationStore = own
      closers.push(() => own.close())
    }
    const guard = new StoreGuard(
      coordinationStore,
      { clock, random, logger },
      new CoordinationKeys(cluster).sessions,
    )
    const storeSize = new StoreSize(guard, { clock, random, logger })
    closers.push(async () => storeSize.close())
    closers.push(async () => guard.refusal.close())
    storeSize.start()

    const host = await createMeshHost({
      privateKey: openHostKey(await loadHostKey(store)),
      listenHost: config.mesh.host,
      listenPort: config.mesh.port,
      announceAddresses: config.mesh.announce,
      pubsub: gossipsubService(cluster),
      logger,
    })
    closers.push(() => host.close())
    const transport = await Libp2pPeerTransport.create({ host, clock, random, logger }, { cluster })
    closers.push(() => transport.close())
    const gossip = new GossipsubGossip(host.pubsub, cluster)

    const writer = new JournalWriter(store)
    const journal = new StoreSessionJournal(writer)
    const retainedJournal = new StoreRetainedJournal(writer)
    const outboxJournal = new StoreOutboxJournal(writer)
    const spanExporter = openSpanExporter(config, logger)
    if (spanExporter !== undefined) closers.push(() => spanExporter.close())
    const broker = new BrokerNode(
      {
        clock,
        random,
        logger,
        store,
        journal,
        retainedJournal,
        outboxJournal,
        seenJournal: new StoreSeenJournal(writer),
        coordinationStore: guard,
        storeSize,
        storeRefusal: guard.refusal,
        portMetrics: [...storeMetrics(guard, storeSize), ...meshMetrics(transport)],
        ...(spanExporter === undefined ? {} : { spanExporter }),
        epochMemory: new StoreEpochMemory(store, logger),
        transport,
        gossip,
        authenticationMethods: methods,
      },
      { ...brokerOptions(config), dataDirId: await dataDirId(dataDir) },
    )
    closers.push(() => broker.stop())
    const listeners: Listener[] = []
    for (const options of listenerOptions(config)) {
      const listener = await listen(options, { clock, logger }, stream => broker.accept(stream))
      closers.push(() => listener.close())
      listeners.push(listener)
    }
    const mqttAddress = listeners[0]?.address ?? ''
    const urls = listeners.map(({ url }) => url)
    const admin = await createAdminServer({
      ...config.admin,
      source: broker,
      control: broker.control,
      routing: broker.routing,
      tracing: broker.tracer,
      logger,
    })
    closers.push(() => admin.close())

    await broker.start({ mqttAddress, adminUrl: admin.url })
    logger.info('node joined', { listeners: urls, admin: admin.url, mesh: transport.self.addresses })
    return new RunningNode(broker, nodeId, mqttAddress, urls, admin.url, () => closeAll(closers, logger))
  } catch (error) {
    await closeAll(closers, logger)
    throw error
  }
}

/** Plain MQTT first, whose address the other nodes are told. */
function listenerOptions({ mqtt }: NodeConfig): ListenerOptions[] {
  const { host, port, tls, ws, wss, packetBytesMax: messageBytesMax } = mqtt
  const options: ListenerOptions[] = [{ protocol: 'mqtt', host, port }]
  const files = { certFile: tls.certFile ?? '', keyFile: tls.keyFile ?? '' }
  if (tls.port !== undefined) options.push({ protocol: 'mqtts', host: tls.host, port: tls.port, tls: files })
  if (ws.port !== undefined)
    options.push({ protocol: 'ws', host: ws.host, port: ws.port, path: ws.path, messageBytesMax })
  if (wss.port !== undefined) {
    options.push({
      protocol: 'wss',
      host: wss.host,
      port: wss.port,
      path: wss.path,
      messageBytesMax,
      tls: files,
    })
  }
  return options
}

async function authenticationMethods(
  { auth }: NodeConfig,
  random: SystemRandom,
): Promise<readonly AuthenticationMethod[]> {
  const { file } = auth.scram
  if (file === undefined) return []
  const verifiers = await loadScramVerifiers(file)
  return [new ScramSha256({ verifiers, random, probeSecret: random.bytes(32) })]
}

function openSpanExporter({ observability, node }: NodeConfig, logger: Logger): OtlpSpanExporter | undefined {
  const { otlpEndpoint: url } = observability
  if (url === undefined) return undefined
  return new OtlpSpanExporter(
    { url, cluster: node.cluster, nodeId: node.id, version: packageVersion() },
    logger,
  )
}

/** Reads the node's libp2p key, or makes one. */
async function loadHostKey(store: Store): Promise<Uint8Array> {
  const kept = await store.get(HOST_KEY)
  if (kept !== undefined) return kept
  const made = await generateHostKey()
  store.append([{ type: 'put', key: HOST_KEY, value: made }])
  await store.flush()
  return made
}

function brokerOptions(config: NodeConfig): BrokerOptions {
  const { suspendHoldMs, ...coordination } = config.coordination
  const { onOwnerLost, keptWillBytesMax, ...sessions } = config.sessions
  return {
    nodeId: config.node.id,
    cluster: config.node.cluster,
    version: packageVersion(),
    coordination: { ...coordination, onOwnerLost, keptWillBytesMax },
    routing: config.routing,
    retained: {
      digestIntervalMs: config.retained.digestIntervalMs,
      inlineBytesMax: config.retained.inlineBytesMax,
    },
    forwarding: {
      acceptTimeoutMs: config.routing.acceptTimeoutMs,
      outboxMessagesMax: config.queues.outboxMessagesMax,
      outboxBytesMax: config.queues.outboxBytesMax,
    },
    mqtt: {
      ...config.mqtt,
      anonymous: config.auth.anonymous,
      ...sessions,
      queueMessagesMax: config.queues.sessionMessagesMax,
      queueBytesMax: config.queues.sessionBytesMax,
      queueDrop: config.queues.sessionDrop,
      retainedMessagesMax: config.retained.messagesMax,
      retainedBytesMax: config.retained.bytesMax,
      subackBarrier: config.routing.subackBarrier,
      barrierTimeoutMs: config.routing.barrierTimeoutMs,
      retainedTombstoneTtlMs: config.retained.tombstoneTtlMs,
      suspendHoldMs,
    },
  }
}

async function closeAll(closers: readonly (() => Promise<void>)[], logger: Logger): Promise<void> {
  for (const close of closers.toReversed()) {
    try {
      await close()
    } catch (error) {
      logger.warn('closing failed; the rest goes on', { error: String(error) })
    }
  }
}
