import assert from 'node:assert/strict'
import { RetainedHolders } from '../../routing/retained-holders.ts'
import { RealMesh } from '../support/real-mesh.ts'

const CLUSTER = 'payloads'
const PAYLOAD = 'firmware plan '.repeat(1000)

/** Everything real: etcd, libp2p over TCP, level on disk; MQTT.js as the client. */
describe('large retained messages in a mesh of three nodes', function () {
  this.timeout(60_000)
  let mesh: RealMesh

  /** What a new client of the node gets. */
  async function read(index: number, filter: string): Promise<[string, string, boolean]> {
    const client = await mesh.connect(index, '')
    const message = new Promise<[string, string, boolean]>(resolve =>
      client.once('message', (topic, payload, { retain }) => resolve([topic, String(payload), retain])),
    )
    await client.subscribeAsync(filter, { qos: 1 })
    return message
  }

  before(async () => {
    mesh = await RealMesh.start({
      config: {
        node: { cluster: CLUSTER },
        retained: { digestIntervalMs: 100 },
        sessions: { drainTimeoutMs: 0 },
      },
    })
  })

  after(() => mesh.close())

  it('are on the disks of two, and reach subscribers of the third, also when a holder is down', async () => {
    const holders = new RetainedHolders('', CLUSTER)
    holders.setNodes(['node-0', 'node-1', 'node-2'])
    // One that the third node does not keep, published there.
    const topic = Array.from({ length: 100 }, (_, i) => `plan/${i}`).find(
      candidate => !holders.of(candidate).includes('node-2'),
    ) as string
    const publisher = await mesh.connect(2, 'publisher')
    await publisher.publishAsync(topic, PAYLOAD, { qos: 1, retain: true })
    for (const index of [0, 1, 2]) assert.deepEqual(await read(index, 'plan/#'), [topic, PAYLOAD, true])

    const keeping = async (index: number): Promise<number> =>
      Number(/retained_held_bytes\S* (\d+)/.exec(await metricsOf(index))?.[1])
    const isSettled = async (): Promise<boolean> =>
      (await keeping(0)) > PAYLOAD.length &&
      (await keeping(1)) > PAYLOAD.length &&
      (await keeping(2)) < PAYLOAD.length
    while (!(await isSettled())) await new Promise(resolve => setTimeout(resolve, 20))

    // The third node starts anew, so that it has nothing in its cache either.
    await mesh.node(2).stop()
    await mesh.startAgain(2)
    await mesh.node(0).stop()
    assert.deepEqual(await read(2, 'plan/#'), [topic, PAYLOAD, true])
    assert.match(await metricsOf(2), /retained_fetches_total\{[^}]*outcome="found"[^}]*\} 1/)
    await mesh.startAgain(0)
    assert.deepEqual(await read(0, 'plan/#'), [topic, PAYLOAD, true])
  })

  async function metricsOf(index: number): Promise<string> {
    const response = await fetch(`${mesh.node(index).adminUrl}/metrics`)
    return response.text()
  }
})
