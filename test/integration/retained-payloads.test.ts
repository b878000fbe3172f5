import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { RetainedHolders } from '../../routing/retained-holders.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createNode } from '../../src/node/create-node.ts'
import type { GrapevineNode } from '../../src/node/grapevine-node.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../support/private-etcd.ts'
import { silentLogger } from '../support/silent-logger.ts'

const CLUSTER = 'payloads'
const PAYLOAD = 'firmware plan '.repeat(1000)

/** Everything real: etcd, libp2p over TCP, level on disk; MQTT.js as the client. */
describe('large retained messages in a mesh of three nodes', function () {
  this.timeout(60_000)
  let etcd: PrivateEtcd
  let directory: string
  let nodes: GrapevineNode[]
  const clients: MqttClient[] = []

  function start(index: number): Promise<GrapevineNode> {
    return createNode(
      configSchema.parse({
        node: { id: `node-${index}`, cluster: CLUSTER, dataDir: join(directory, `node-${index}`) },
        mqtt: { host: '127.0.0.1', port: 0 },
        mesh: { host: '127.0.0.1', port: 0 },
        admin: { port: 0 },
        coordination: { store: 'etcd', etcd: { endpoints: [etcd.url] } },
        retained: { digestIntervalMs: 100 },
        sessions: { drainTimeoutMs: 0 },
        auth: { anonymous: true },
      }),
      { logger: silentLogger },
    )
  }

  async function connect(node: GrapevineNode | undefined): Promise<MqttClient> {
    const client = await mqtt.connectAsync(`mqtt://${node?.mqttAddress}`, {
      protocolVersion: 5,
      reconnectPeriod: 0,
    })
    clients.push(client)
    return client
  }

  /** What a new client of the node gets. */
  async function read(node: GrapevineNode | undefined, filter: string): Promise<[string, string, boolean]> {
    const client = await connect(node)
    const message = new Promise<[string, string, boolean]>(resolve =>
      client.once('message', (topic, payload, { retain }) => resolve([topic, String(payload), retain])),
    )
    await client.subscribeAsync(filter, { qos: 1 })
    return message
  }

  before(async () => {
    etcd = await startPrivateEtcd()
    directory = await mkdtemp(join(tmpdir(), 'grapevine-payloads-'))
    nodes = await Promise.all([0, 1, 2].map(start))
    await Promise.all(nodes.map(node => node.whenReady()))
  })

  after(async () => {
    await Promise.all(clients.splice(0).map(client => client.endAsync(true)))
    await Promise.all(nodes.map(node => node.stop()))
    await etcd.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('are on the disks of two, and reach subscribers of the third, also when a holder is down', async () => {
    const holders = new RetainedHolders('', CLUSTER)
    holders.setNodes(['node-0', 'node-1', 'node-2'])
    // One that the third node does not keep, published there.
    const topic = Array.from({ length: 100 }, (_, i) => `plan/${i}`).find(
      candidate => !holders.of(candidate).includes('node-2'),
    ) as string
    const publisher = await connect(nodes[2])
    await publisher.publishAsync(topic, PAYLOAD, { qos: 1, retain: true })
    for (const node of nodes) assert.deepEqual(await read(node, 'plan/#'), [topic, PAYLOAD, true])

    const keeping = async (index: number): Promise<number> =>
      Number(/retained_held_bytes\S* (\d+)/.exec(await metricsOf(index))?.[1])
    const isSettled = async (): Promise<boolean> =>
      (await keeping(0)) > PAYLOAD.length &&
      (await keeping(1)) > PAYLOAD.length &&
      (await keeping(2)) < PAYLOAD.length
    while (!(await isSettled())) await new Promise(resolve => setTimeout(resolve, 20))

    // The third node starts anew, so that it has nothing in its cache either.
    await nodes[2]?.stop()
    nodes[2] = await start(2)
    await nodes[2].whenReady()
    await nodes[0]?.stop()
    assert.deepEqual(await read(nodes[2], 'plan/#'), [topic, PAYLOAD, true])
    assert.match(await metricsOf(2), /retained_fetches_total\{[^}]*outcome="found"[^}]*\} 1/)
    nodes[0] = await start(0)
    await nodes[0].whenReady()
    assert.deepEqual(await read(nodes[0], 'plan/#'), [topic, PAYLOAD, true])
  })

  async function metricsOf(index: number): Promise<string> {
    const response = await fetch(`${nodes[index]?.adminUrl}/metrics`)
    return response.text()
  }
})
