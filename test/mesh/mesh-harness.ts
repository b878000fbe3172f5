import { setTimeout as sleep } from 'node:timers/promises'
import { gossipsubService, GossipsubGossip } from '../../gossip/gossipsub-adapter.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { LogFields, Logger } from '../../src/core/ports/logger.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import { generateHostKey, openHostKey } from '../../src/mesh/host-key.ts'
import { Libp2pPeerTransport } from '../../src/mesh/libp2p-peer-transport.ts'
import { createMeshHost } from '../../src/mesh/mesh-host.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import { SystemRandom } from '../../src/system/system-random.ts'
import { until } from '../contract/harness.ts'
import type { Harness } from '../contract/harness.ts'

/** Keeps what is logged, as `level message {fields}`. */
export class MemoryLogger implements Logger {
  readonly lines: string[] = []

  debug(message: string, fields?: LogFields | (() => LogFields)): void {
    this.#keep('debug', message, typeof fields === 'function' ? fields() : fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#keep('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#keep('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#keep('error', message, fields)
  }

  child(): Logger {
    return this
  }

  #keep(level: string, message: string, fields: LogFields = {}): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  }
}

/** A real libp2p host on loopback with the adapters of both ports. */
export interface MeshNode {
  readonly transport: Libp2pPeerTransport
  readonly gossip: GossipsubGossip
  readonly logger: MemoryLogger
  /** As when its process ends. */
  close(): Promise<void>
}

/** Real hosts in this process, closed together. */
export class MeshHarness implements Harness<MeshHarness> {
  readonly subject = this
  readonly #closers: (() => Promise<void>)[] = []

  async node(options: { key?: Uint8Array; cluster?: string } = {}): Promise<MeshNode> {
    const cluster = options.cluster ?? 'test'
    const logger = new MemoryLogger()
    const host = await createMeshHost({
      privateKey: openHostKey(options.key ?? (await generateHostKey())),
      listenHost: '127.0.0.1',
      listenPort: 0,
      pubsub: gossipsubService(cluster),
      logger,
    })
    const components = { host, clock: new SystemClock(), random: new SystemRandom(), logger }
    const transport = await Libp2pPeerTransport.create(components, { cluster })
    const gossip = new GossipsubGossip(host.pubsub, cluster)
    const close = async (): Promise<void> => {
      gossip.close()
      await transport.close()
      await host.close()
    }
    this.#closers.push(close)
    return { transport, gossip, logger, close }
  }

  async transport(_nodeId: NodeId): Promise<Libp2pPeerTransport> {
    return (await this.node()).transport
  }

  async advance(ms: number): Promise<void> {
    await sleep(ms)
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map(close => close()))
  }
}

/** Starts the nodes as node-0, node-1 … of incarnation 1 and waits until every pair is linked both ways. */
export async function linkAll(harness: MeshHarness, nodes: readonly MeshNode[]): Promise<PeerAddress[]> {
  const addresses = nodes.map(({ transport }, i) => ({
    nodeId: `node-${i}`,
    incarnation: 1,
    ...transport.self,
  }))
  for (const [i, { transport }] of nodes.entries()) {
    transport.start(`node-${i}`, 1)
    transport.setMembers(addresses.filter((_, at) => at !== i))
  }
  await until(harness, 'every pair to be linked', () =>
    nodes.every(({ transport }, i) =>
      addresses.every(({ nodeId }, at) => at === i || transport.isUp(nodeId)),
    ),
  )
  return addresses
}
