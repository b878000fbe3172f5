import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt, { type MqttClient } from 'mqtt'
import { configSchema } from '../../src/config/schema.ts'
import { createNode } from '../../src/node/create-node.ts'
import type { GrapevineNode } from '../../src/node/grapevine-node.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../support/private-etcd.ts'
import { silentLogger } from '../support/silent-logger.ts'

/** The arguments of the client's next event of that name. */
function next(client: MqttClient, event: 'connect' | 'disconnect' | 'message'): Promise<unknown[]> {
  return new Promise(resolve => client.once(event, (...args: unknown[]) => resolve(args)))
}

/** Three nodes with everything real: etcd, libp2p over TCP, level on disk; MQTT.js as the client. */
describe('a mesh of three nodes on etcd', () => {
  let etcd: PrivateEtcd
  let directory: string
  let nodes: GrapevineNode[]
  const clients: MqttClient[] = []

  function start(index: number): Promise<GrapevineNode> {
    return createNode(
      configSchema.parse({
        node: { id: `node-${index}`, dataDir: join(directory, `node-${index}`) },
        mqtt: { host: '127.0.0.1', port: 0 },
        mesh: { host: '127.0.0.1', port: 0 },
        admin: { port: 0 },
        coordination: { store: 'etcd', etcd: { endpoints: [etcd.url] } },
        auth: { anonymous: true },
      }),
      { logger: silentLogger },
    )
  }

  async function connect(index: number, clientId: string, version: 4 | 5 = 5): Promise<MqttClient> {
    const client = await mqtt.connectAsync(`mqtt://${nodes[index]?.mqttAddress}`, {
      protocolVersion: version,
      clientId,
      reconnectPeriod: 0,
    })
    clients.push(client)
    return client
  }

  /** Resolves when every node knows as many filters of the others as they have. */
  async function interestSpread(): Promise<void> {
    for (;;) {
      const own = nodes.map(node => node.clusterStatus().local.filters)
      const isSpread = nodes.every(node =>
        node.clusterStatus().members.every(({ nodeId, filters }) => filters === own[Number(nodeId.slice(5))]),
      )
      if (isSpread) return
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  before(async () => {
    etcd = await startPrivateEtcd()
    directory = await mkdtemp(join(tmpdir(), 'grapevine-mesh-'))
    nodes = await Promise.all([0, 1, 2].map(start))
    await Promise.all(nodes.map(node => node.whenReady()))
  })

  /** No filter of an earlier test is left anywhere, so that counting them tells what has spread. */
  beforeEach(async () => {
    const isEmpty = (): boolean =>
      nodes.every(node => node.clusterStatus().members.every(({ filters }) => filters === 0))
    while (!isEmpty()) await new Promise(resolve => setTimeout(resolve, 10))
  })

  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.endAsync(true)))
  })

  after(async () => {
    await Promise.all(nodes.map(node => node.stop()))
    await etcd.close()
    await rm(directory, { recursive: true, force: true })
  })

  for (const version of [4, 5] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`carries a message from the third node to the first at QoS ${qos}, protocol level ${version}`, async () => {
        const topic = `mesh/${version}/${qos}`
        const subscriber = await connect(0, `sub-${version}-${qos}`, version)
        await subscriber.subscribeAsync(`mesh/${version}/#`, { qos })
        await interestSpread()
        const arrived = next(subscriber, 'message')
        const publisher = await connect(2, `pub-${version}-${qos}`, version)
        await publisher.publishAsync(topic, 'hi', { qos })
        const [receivedTopic, payload] = (await arrived) as [string, Buffer]
        assert.equal(receivedTopic, topic)
        assert.equal(payload.toString(), 'hi')
      })
    }
  }

  it('delivers each of a thousand QoS 1 messages once and in order', async () => {
    const subscriber = await connect(1, 'orderly')
    await subscriber.subscribeAsync('order', { qos: 1 })
    await interestSpread()
    const received: number[] = []
    const all = new Promise<void>(resolve => {
      subscriber.on('message', (_topic, payload) => {
        received.push(Number(payload.toString()))
        if (received.length === 1000) resolve()
      })
    })
    const publisher = await connect(0, 'publisher')
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) => publisher.publishAsync('order', String(i), { qos: 1 })),
    )
    await all
    assert.deepEqual(
      received,
      Array.from({ length: 1000 }, (_, i) => i),
    )
  })

  it('disconnects a client with 0x8E when its id connects at another node, which then owns it', async () => {
    const first = await connect(0, 'wanderer')
    const disconnected = next(first, 'disconnect')
    const second = await connect(1, 'wanderer')
    const [packet] = (await disconnected) as [{ reasonCode: number }]
    assert.equal(packet.reasonCode, 0x8e)
    assert.ok(second.connected)
    assert.equal(nodes[0]?.clusterStatus().local.sessions, 0)
    assert.equal(nodes[1]?.clusterStatus().local.sessions, 1)
  })

  it('retains on every node what one was told, and forgets it everywhere', async () => {
    const publisher = await connect(0, 'retainer')
    await publisher.publishAsync('retained/a', 'kept', { qos: 1, retain: true })
    const late = await connect(2, 'late')
    const arrived = next(late, 'message')
    await late.subscribeAsync('retained/#', { qos: 1 })
    const [topic, payload, packet] = (await arrived) as [string, Buffer, { retain: boolean }]
    assert.deepEqual([topic, String(payload), packet.retain], ['retained/a', 'kept', true])
    await late.unsubscribeAsync('retained/#')

    await late.publishAsync('retained/a', '', { qos: 1, retain: true })
    await late.publishAsync('retained/b', 'left', { qos: 1, retain: true })
    const later = await connect(1, 'later')
    const first = next(later, 'message')
    await later.subscribeAsync('retained/#', { qos: 1 })
    assert.equal(((await first) as [string])[0], 'retained/b')
  })

  it('with the barrier all, what is published anywhere right after SUBACK arrives', async () => {
    const publishers = [await connect(1, 'right-after-1'), await connect(2, 'right-after-2')]
    const subscriber = await connect(0, 'behind-barrier')
    const received: string[] = []
    subscriber.on('message', topic => received.push(topic))
    for (let i = 0; i < 20; i++) {
      const properties = { userProperties: { 'suback-barrier': 'all' } }
      await subscriber.subscribeAsync(`barrier/${i}`, { qos: 1, properties })
      await Promise.all(publishers.map(publisher => publisher.publishAsync(`barrier/${i}`, '', { qos: 0 })))
    }
    while (received.length < 40) await next(subscriber, 'message')
    assert.equal(received.length, 40)
  })

  it('goes on when a node leaves, and takes it back with its sessions', async () => {
    const durable = await mqtt.connectAsync(`mqtt://${nodes[2]?.mqttAddress}`, {
      protocolVersion: 5,
      clientId: 'durable',
      clean: false,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: 600 },
    })
    clients.push(durable)
    await durable.subscribeAsync('kept', { qos: 1 })
    await nodes[2]?.stop()
    const [bystander, publisher] = [await connect(0, 'bystander'), await connect(1, 'publisher-2')]
    await bystander.subscribeAsync('still', { qos: 1 })
    const arrived = next(bystander, 'message')
    await publisher.publishAsync('still', 'here', { qos: 1 })
    await arrived

    nodes[2] = await start(2)
    await nodes[2].whenReady()
    await publisher.publishAsync('kept', 'while you were away', { qos: 1 })
    const back = mqtt.connect(`mqtt://${nodes[2].mqttAddress}`, {
      protocolVersion: 5,
      clientId: 'durable',
      clean: false,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: 600 },
    })
    clients.push(back)
    const message = next(back, 'message')
    const [connack] = (await next(back, 'connect')) as [{ sessionPresent: boolean }]
    assert.equal(connack.sessionPresent, true)
    assert.equal(String((await message)[1]), 'while you were away')
  })
})
