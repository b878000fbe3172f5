import assert from 'node:assert/strict'
import type { IClientOptions, MqttClient } from 'mqtt'
import { RealMesh } from '../support/real-mesh.ts'

const DURABLE: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 600 } }

/** Everything real: etcd, libp2p over TCP, level on disk; MQTT.js as the client. */
describe('forwarding in a mesh of three nodes', () => {
  let mesh: RealMesh

  /** Resolves when every node knows `filters` filters of each of the nodes named. */
  async function interestSpread(filters: Record<string, number>): Promise<void> {
    const isSpread = (): boolean =>
      mesh.nodes.every(node =>
        node
          .clusterStatus()
          .members.every(member => member.filters === (filters[member.nodeId] ?? member.filters)),
      )
    while (!isSpread()) await new Promise(resolve => setTimeout(resolve, 10))
  }

  beforeEach(async () => {
    mesh = await RealMesh.start({ config: { sessions: { drainTimeoutMs: 0 } } })
  })

  afterEach(() => mesh.close())

  it('keeps what is acknowledged for the sessions of a node that is gone, also over a restart of the ingress', async () => {
    const durable = await mesh.connect(2, 'durable', DURABLE)
    await durable.subscribeAsync('kept/+', { qos: 1 })
    await interestSpread({ 'node-2': 1 })
    const publisher = await mesh.connect(0, 'publisher')
    await mesh.node(2).stop()
    while (mesh.node(0).clusterStatus().members.length !== 2)
      await new Promise(resolve => setTimeout(resolve, 10))
    const count = 600
    await Promise.all(
      Array.from({ length: count }, (_, i) => publisher.publishAsync(`kept/${i}`, `${i}`, { qos: 1 })),
    )
    await publisher.endAsync()
    await mesh.node(0).stop()
    await mesh.startAgain(0)

    await mesh.startAgain(2)
    const received: number[] = []
    const isComplete = new Promise<void>(resolve => {
      const back = mesh.dial(2, 'durable', DURABLE)
      back.on('message', (_topic, payload) => {
        received.push(Number(payload))
        if (received.length === count) resolve()
      })
    })
    await isComplete
    assert.deepEqual(
      received,
      Array.from({ length: count }, (_, i) => i),
    )
  })

  it('keeps it also at a node that started while the other was gone, until that one is forgotten', async () => {
    const durable = await mesh.connect(2, 'durable', DURABLE)
    await durable.subscribeAsync('kept/+', { qos: 2 })
    await interestSpread({ 'node-2': 1 })
    await mesh.node(2).stop()
    await mesh.node(0).stop()
    await mesh.startAgain(0)
    const publisher = await mesh.connect(0, 'publisher')
    const count = 100
    for (let i = 0; i < count; i++) await publisher.publishAsync(`kept/${i}`, `${i}`, { qos: 2 })
    await mesh.startAgain(2)
    const received: number[] = []
    const back = await new Promise<MqttClient>(resolve => {
      const client = mesh.dial(2, 'durable', DURABLE)
      client.on('message', (_topic, payload) => {
        received.push(Number(payload))
        if (received.length === count) resolve(client)
      })
    })
    assert.deepEqual(
      received,
      Array.from({ length: count }, (_, i) => i),
    )

    await back.endAsync()
    const admin = mesh.node(0).adminUrl
    const forget = (nodeId: string): Promise<Response> =>
      fetch(`${admin}/api/v1/nodes/${nodeId}`, { method: 'DELETE' })
    assert.equal((await forget('node-2')).status, 409)
    await mesh.node(2).stop()
    while (mesh.node(0).clusterStatus().members.length !== 2)
      await new Promise(resolve => setTimeout(resolve, 10))
    const answer = await forget('node-2')
    assert.deepEqual([answer.status, await answer.json()], [200, { nodeId: 'node-0', forgotten: 'node-2' }])
    await publisher.publishAsync('kept/lost', 'lost', { qos: 1 })
    await mesh.startAgain(2)
    const again = await mesh.connect(2, 'durable', DURABLE)
    const first = new Promise<string>(resolve =>
      again.on('message', (_topic, payload) => resolve(payload.toString())),
    )
    await publisher.publishAsync('kept/again', 'again', { qos: 1 })
    assert.equal(await first, 'again')
  })

  it('gives each message of a shared subscription to one member in the cluster', async () => {
    const received: number[] = []
    const perMember = new Map<string, number>()
    const total = 300
    const members = await Promise.all([0, 1, 2].map(i => mesh.connect(i, `member-${i}`)))
    const isComplete = new Promise<void>(resolve => {
      members.forEach((member, i) =>
        member.on('message', (_topic, payload) => {
          received.push(Number(payload))
          perMember.set(`member-${i}`, (perMember.get(`member-${i}`) ?? 0) + 1)
          if (received.length >= total) resolve()
        }),
      )
    })
    for (const member of members) await member.subscribeAsync('$share/g/work', { qos: 1 })
    await interestSpread({ 'node-0': 1, 'node-1': 1, 'node-2': 1 })
    const publisher = await mesh.connect(0, 'publisher')
    for (let i = 0; i < total; i++) await publisher.publishAsync('work', `${i}`, { qos: 1 })
    await isComplete
    // A message to everybody comes behind all others on every path.
    for (const member of members) await member.subscribeAsync('end', { qos: 1 })
    await interestSpread({ 'node-0': 2, 'node-1': 2, 'node-2': 2 })
    const ends = members.map(
      member =>
        new Promise<void>(resolve =>
          member.on('message', topic => {
            if (topic === 'end') resolve()
          }),
        ),
    )
    await publisher.publishAsync('end', '-1', { qos: 1 })
    await Promise.all(ends)
    assert.deepEqual(
      received.filter(number => number >= 0).sort((a, b) => a - b),
      Array.from({ length: total }, (_, i) => i),
    )
    assert.equal(perMember.size, 3)
  })
})
