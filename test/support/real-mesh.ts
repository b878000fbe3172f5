import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { configSchema } from '../../src/config/schema.ts'
import { createNode } from '../../src/node/create-node.ts'
import type { GrapevineNode } from '../../src/node/grapevine-node.ts'
import { openSharedCoordination, type SharedCoordination } from '../../src/node/shared-coordination.ts'
import { startPrivateEtcd, type PrivateEtcd } from './private-etcd.ts'
import { silentLogger } from './silent-logger.ts'

export interface RealMeshOptions {
  readonly nodeIds?: readonly string[]
  /** `shared`: one embedded store for all, without etcd. */
  readonly store?: 'etcd' | 'shared'
  /** Beyond what every such node needs. */
  readonly config?: Readonly<Record<string, Record<string, unknown>>>
}

/** Nodes of this process with everything real: coordination, libp2p over TCP, level on disk; MQTT.js as the client. */
export class RealMesh {
  readonly nodes: GrapevineNode[] = []
  readonly #options: RealMeshOptions
  readonly #directory: string
  readonly #store: PrivateEtcd | SharedCoordination
  readonly #clients: MqttClient[] = []

  private constructor(options: RealMeshOptions, directory: string, store: PrivateEtcd | SharedCoordination) {
    this.#options = options
    this.#directory = directory
    this.#store = store
  }

  /** Resolves when all nodes are ready. */
  static async start(options: RealMeshOptions = {}): Promise<RealMesh> {
    const directory = await mkdtemp(join(tmpdir(), 'grapevine-mesh-'))
    const store =
      options.store === 'shared'
        ? await openSharedCoordination(join(directory, 'coordination'))
        : await startPrivateEtcd()
    const mesh = new RealMesh(options, directory, store)
    mesh.nodes.push(...(await Promise.all(mesh.#nodeIds.map(nodeId => mesh.#boot(nodeId)))))
    await Promise.all(mesh.nodes.map(node => node.whenReady()))
    return mesh
  }

  node(index: number): GrapevineNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  /** Starts a node that was stopped once more, on the data it had, in the same place; resolves when it is ready. */
  async startAgain(index: number): Promise<void> {
    const node = await this.#boot(this.#nodeIds[index] ?? '')
    this.nodes[index] = node
    await node.whenReady()
  }

  /** A client under way to its node, without reconnects: to be listened to from its first packet on. */
  dial(index: number, clientId: string, options: IClientOptions = {}): MqttClient {
    const url = `mqtt://${this.node(index).mqttAddress}`
    const client = mqtt.connect(url, { protocolVersion: 5, clientId, reconnectPeriod: 0, ...options })
    this.#clients.push(client)
    return client
  }

  /** A client that is connected, without reconnects. */
  async connect(index: number, clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
    const url = `mqtt://${this.node(index).mqttAddress}`
    const client = await mqtt.connectAsync(url, {
      protocolVersion: 5,
      clientId,
      reconnectPeriod: 0,
      ...options,
    })
    this.#clients.push(client)
    return client
  }

  async endClients(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map(client => client.endAsync(true)))
  }

  async close(): Promise<void> {
    await this.endClients()
    await Promise.all(this.nodes.map(node => node.stop()))
    await this.#store.close()
    await rm(this.#directory, { recursive: true, force: true })
  }

  get #nodeIds(): readonly string[] {
    return this.#options.nodeIds ?? ['node-0', 'node-1', 'node-2']
  }

  #boot(nodeId: string): Promise<GrapevineNode> {
    const store = this.#store
    const { node, ...config } = this.#options.config ?? {}
    return createNode(
      configSchema.parse({
        node: { id: nodeId, dataDir: join(this.#directory, nodeId), ...node },
        mqtt: { host: '127.0.0.1', port: 0 },
        mesh: { host: '127.0.0.1', port: 0 },
        admin: { port: 0 },
        ...('url' in store && { coordination: { store: 'etcd', etcd: { endpoints: [store.url] } } }),
        auth: { anonymous: true },
        ...config,
      }),
      {
        logger: silentLogger,
        ...('coordinationStore' in store && { coordinationStore: store.coordinationStore }),
      },
    )
  }
}
