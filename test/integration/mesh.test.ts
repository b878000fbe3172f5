import assert from 'node:assert/strict'
import type { IClientOptions, MqttClient } from 'mqtt'
import { RealMesh } from '../support/real-mesh.ts'

const DURABLE: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 600 } }

/** The arguments of the client's next event of that name. */
function next(client: MqttClient, event: 'connect' | 'disconnect' | 'message'): Promise<unknown[]> {
  return new Promise(resolve => client.once(event, (...args: unknown[]) => resolve(args)))
}

/** Three nodes with everything real: etcd, libp2p over TCP, level on disk; MQTT.js as the client. */
describe('a mesh of three nodes on etcd', () => {
  let mesh: RealMesh

  /** Resolves when every node knows as many filters of the others as they have. */
  async function interestSpread(): Promise<void> {
    for (;;) {
      const own = mesh.nodes.map(node => node.clusterStatus().local.filters)
      const isSpread = mesh.nodes.every(node =>
        node.clusterStatus().members.every(({ nodeId, filters }) => filters === own[Number(nodeId.slice(5))]),
      )
      if (isSpread) return
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  before(async () => {
    mesh = await RealMesh.start()
  })

  /** No filter of an earlier test is left anywhere, so that counting them tells what has spread. */
  beforeEach(async () => {
    const isEmpty = (): boolean =>
      mesh.nodes.every(node => node.clusterStatus().members.every(({ filters }) => filters === 0))
    while (!isEmpty()) await new Promise(resolve => setTimeout(resolve, 10))
  })

  afterEach(() => mesh.endClients())

  after(() => mesh.close())

  for (const version of [4, 5] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`carries a message from the third node to the first at QoS ${qos}, protocol level ${version}`, async () => {
        const topic = `mesh/${version}/${qos}`
        const subscriber = await mesh.connect(0, `sub-${version}-${qos}`, { protocolVersion: version })
        await subscriber.subscribeAsync(`mesh/${version}/#`, { qos })
        await interestSpread()
        const arrived = next(subscriber, 'message')
        const publisher = await mesh.connect(2, `pub-${version}-${qos}`, { protocolVersion: version })
        await publisher.publishAsync(topic, 'hi', { qos })
        const [receivedTopic, payload] = (await arrived) as [string, Buffer]
        assert.equal(receivedTopic, topic)
        assert.equal(payload.toString(), 'hi')
      })
    }
  }

  it('delivers each of a thousand QoS 1 messages once and in order', async () => {
    const subscriber = await mesh.connect(1, 'orderly')
    await subscriber.subscribeAsync('order', { qos: 1 })
    await interestSpread()
    const received: number[] = []
    const all = new Promise<void>(resolve => {
      subscriber.on('message', (_topic, payload) => {
        received.push(Number(payload.toString()))
        if (received.length === 1000) resolve()
      })
    })
    const publisher = await mesh.connect(0, 'publisher')
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
    const first = await mesh.connect(0, 'wanderer')
    const disconnected = next(first, 'disconnect')
    const second = await mesh.connect(1, 'wanderer')
    const [packet] = (await disconnected) as [{ reasonCode: number }]
    assert.equal(packet.reasonCode, 0x8e)
    assert.ok(second.connected)
    assert.equal(mesh.node(0).clusterStatus().local.sessions, 0)
    assert.equal(mesh.node(1).clusterStatus().local.sessions, 1)
  })

  it('retains on every node what one was told, and forgets it everywhere', async () => {
    const publisher = await mesh.connect(0, 'retainer')
    await publisher.publishAsync('retained/a', 'kept', { qos: 1, retain: true })
    const late = await mesh.connect(2, 'late')
    const arrived = next(late, 'message')
    await late.subscribeAsync('retained/#', { qos: 1 })
    const [topic, payload, packet] = (await arrived) as [string, Buffer, { retain: boolean }]
    assert.deepEqual([topic, String(payload), packet.retain], ['retained/a', 'kept', true])
    await late.unsubscribeAsync('retained/#')

    await late.publishAsync('retained/a', '', { qos: 1, retain: true })
    await late.publishAsync('retained/b', 'left', { qos: 1, retain: true })
    const later = await mesh.connect(1, 'later')
    const first = next(later, 'message')
    await later.subscribeAsync('retained/#', { qos: 1 })
    assert.equal(((await first) as [string])[0], 'retained/b')
  })

  it('with the barrier all, what is published anywhere right after SUBACK arrives', async () => {
    const publishers = [await mesh.connect(1, 'right-after-1'), await mesh.connect(2, 'right-after-2')]
    const subscriber = await mesh.connect(0, 'behind-barrier')
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
    const durable = await mesh.connect(2, 'durable', DURABLE)
    await durable.subscribeAsync('kept', { qos: 1 })
    await mesh.node(2).stop()
    const [bystander, publisher] = [await mesh.connect(0, 'bystander'), await mesh.connect(1, 'publisher-2')]
    await bystander.subscribeAsync('still', { qos: 1 })
    const arrived = next(bystander, 'message')
    await publisher.publishAsync('still', 'here', { qos: 1 })
    await arrived

    await mesh.startAgain(2)
    await publisher.publishAsync('kept', 'while you were away', { qos: 1 })
    const back = mesh.dial(2, 'durable', DURABLE)
    const message = next(back, 'message')
    const [connack] = (await next(back, 'connect')) as [{ sessionPresent: boolean }]
    assert.equal(connack.sessionPresent, true)
    assert.equal(String((await message)[1]), 'while you were away')
  })
})
