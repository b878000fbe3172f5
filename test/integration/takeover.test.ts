import assert from 'node:assert/strict'
import { Store, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt'
import { RealMesh } from '../support/real-mesh.ts'

/** Two nodes over real libp2p and disks, one embedded coordination store for both, MQTT.js as the clients. */
describe('takeover between two nodes', function () {
  this.timeout(30_000)
  let mesh: RealMesh

  /** Connected, with what came from the first packet on. */
  async function connect(
    index: number,
    clientId: string,
    isClean: boolean,
    incomingStore?: Store,
  ): Promise<{ client: MqttClient; connack: IConnackPacket; received: IPublishPacket[] }> {
    const client = mesh.dial(index, clientId, {
      clean: isClean,
      ...(incomingStore === undefined ? {} : { incomingStore }),
      ...(isClean ? {} : { properties: { sessionExpiryInterval: 600 } }),
    })
    const received: IPublishPacket[] = []
    client.on('message', (_topic, _payload, packet) => received.push(packet))
    const connack = await new Promise<IConnackPacket>((resolve, reject) => {
      client.once('connect', resolve)
      client.once('error', reject)
    })
    return { client, connack, received }
  }

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5))
  }

  const texts = (received: readonly IPublishPacket[]): string[] =>
    received.map(({ payload }) => String(payload))

  before(async () => {
    mesh = await RealMesh.start({ nodeIds: ['node-0', 'node-1'], store: 'shared' })
  })

  afterEach(() => mesh.endClients())

  after(() => mesh.close())

  it('gives a client that was offline its QoS 1 messages at the other node, Session Present 1', async () => {
    const first = await connect(0, 'offline', false)
    await first.client.subscribeAsync('offline/#', { qos: 1 })
    await first.client.endAsync()
    const publisher = await connect(0, 'publisher-1', true)
    for (let number = 0; number < 200; number++) {
      await publisher.client.publishAsync('offline/a', String(number), { qos: 1 })
    }
    const beganMs = performance.now()
    const { connack, received } = await connect(1, 'offline', false)
    const tookMs = performance.now() - beganMs
    assert.equal(connack.sessionPresent, true)
    await until(() => received.length >= 200)
    assert.deepEqual(
      texts(received),
      Array.from({ length: 200 }, (_, number) => String(number)),
    )
    await publisher.client.publishAsync('offline/b', 'still subscribed', { qos: 1 })
    await until(() => received.length > 200)
    assert.equal(texts(received).at(-1), 'still subscribed')
    await until(() => mesh.node(0).clusterStatus().local.sessions === 1)
    console.log(`        CONNACK after ${tookMs.toFixed(0)} ms`)
  })

  it('loses and repeats nothing at QoS 2 while a client wanders from node to node under load', async () => {
    const publisher = await connect(0, 'publisher-2', true)
    // What the client has taken and not released is its own to remember.
    const taken = new Store({ clean: false })
    let here = await connect(0, 'wanderer', false, taken)
    await here.client.subscribeAsync('wander', { qos: 2 })
    await new Promise(resolve => setTimeout(resolve, 200))
    const received: IPublishPacket[] = here.received
    let isOver = false
    let sent = 0
    const flow = (async () => {
      while (!isOver) await publisher.client.publishAsync('wander', String(sent++), { qos: 2 })
    })()
    for (let move = 1; move <= 6; move++) {
      await until(() => sent > move * 50)
      await here.client.endAsync()
      here = await connect(move % 2, 'wanderer', false, taken)
      assert.equal(here.connack.sessionPresent, true)
      received.push(...here.received)
      here.client.on('message', (_topic, _payload, packet) => received.push(packet))
    }
    isOver = true
    await flow
    await until(() => received.length >= sent)
    assert.deepEqual(
      texts(received),
      Array.from({ length: sent }, (_, number) => String(number)),
    )
  })

  it('disconnects the old connection with 0x8E and keeps its subscriptions', async () => {
    const first = await connect(0, 'mover', false)
    await first.client.subscribeAsync('mover', { qos: 1 })
    const said = new Promise<number | undefined>(resolve =>
      first.client.once('disconnect', ({ reasonCode }) => resolve(reasonCode)),
    )
    const second = await connect(1, 'mover', false)
    assert.equal(await said, 0x8e)
    assert.equal(second.connack.sessionPresent, true)
    const publisher = await connect(1, 'publisher-3', true)
    await publisher.client.publishAsync('mover', 'hi', { qos: 1 })
    await until(() => second.received.length === 1)
  })
})
