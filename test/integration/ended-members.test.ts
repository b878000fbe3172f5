import assert from 'node:assert/strict'
import type { MqttClient } from 'mqtt'
import { RealMesh } from '../support/real-mesh.ts'

const SHARED = '$share/workers/work'
const COUNT = 200

/** Real nodes, streams and disks, MQTT.js as the client. */
describe('The session of a member of a shared group that ends in a mesh of two nodes', () => {
  let mesh: RealMesh

  beforeEach(async () => {
    mesh = await RealMesh.start({ nodeIds: ['node-0', 'node-1'], store: 'shared' })
  })
  afterEach(() => mesh.close())

  /** Nobody else is a member, so that all of it is for the one whose session will end. */
  async function publish(): Promise<void> {
    const publisher = await mesh.connect(1, 'publisher')
    for (let i = 0; i < COUNT; i++) await publisher.publishAsync('work', `${i}`, { qos: 1 })
  }

  /** A member on the other node, and what it will have got. */
  async function heir(): Promise<{ readonly got: number[]; readonly hasAll: Promise<void> }> {
    const client = await mesh.connect(1, 'heir')
    const got: number[] = []
    const hasAll = new Promise<void>(resolve => {
      client.on('message', (_topic, payload) => {
        if (got.push(Number(payload)) === COUNT) resolve()
      })
    })
    await client.subscribeAsync(SHARED, { qos: 1 })
    await groupKnown('node-1')
    return { got, hasAll }
  }

  /** Resolves when the other node knows of the member there. */
  async function groupKnown(nodeId: string): Promise<void> {
    const isKnown = (): boolean =>
      mesh.nodes.every(
        node => node.clusterStatus().members.find(member => member.nodeId === nodeId)?.filters === 1,
      )
    while (!isKnown()) await new Promise(resolve => setTimeout(resolve, 10))
  }

  function worker(options: Parameters<RealMesh['connect']>[2]): Promise<MqttClient> {
    const terms = { clean: false, properties: { sessionExpiryInterval: 600, receiveMaximum: 20 } }
    return mesh.connect(0, 'worker', { ...terms, ...options })
  }

  it('leaves what waits for it and what is in flight to a member on the other node, in order', async () => {
    const held: string[] = []
    const client = await worker({
      customHandleAcks: (_topic, message) => void held.push(String(message)), // never acknowledges
    })
    await client.subscribeAsync(SHARED, { qos: 1 })
    await groupKnown('node-0')
    await publish()
    const { got, hasAll } = await heir()
    await client.endAsync(false, { properties: { sessionExpiryInterval: 0 } })
    await hasAll
    assert.deepEqual(
      got,
      Array.from({ length: COUNT }, (_, i) => i),
    )
    assert.ok(held.length > 0 && held.length <= 20, `${held.length} were in flight`)
  })

  it('leaves it over a restart of its node, when it is begun anew elsewhere meanwhile', async () => {
    const client = await worker({})
    await client.subscribeAsync(SHARED, { qos: 1 })
    await groupKnown('node-0')
    await client.endAsync()
    await publish()
    const { got, hasAll } = await heir()
    await mesh.node(0).stop()
    // Clean Start needs nothing of its old node, which is gone.
    await mesh.connect(1, 'worker', { clean: true })
    await mesh.startAgain(0)
    await hasAll
    assert.deepEqual(
      got,
      Array.from({ length: COUNT }, (_, i) => i),
    )
  })
})
