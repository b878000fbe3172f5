import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import type { QoS } from '../../src/core/qos.ts'
import { until } from '../contract/harness.ts'
import { ACCEPT_TIMEOUT_MS, MoveCluster, textsOf, type MoveNode } from '../support/move-cluster.ts'
import type { MemoryClient } from './support/memory-stream.ts'

const range = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${from + index}`)

/*
 * What a client published on its old node may wait there for a peer that is late or gone: what it publishes on its new one must
 * not arrive before that.
 */
describe('A publisher that moves between nodes', function () {
  this.timeout(30_000)
  let cluster: MoveCluster
  let a: MoveNode
  let b: MoveNode
  let c: MoveNode
  let number: number
  let lastPacketId: number

  beforeEach(async () => {
    cluster = new MoveCluster()
    ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
    number = lastPacketId = 0
  })

  async function subscriber(node: MoveNode, qos: QoS): Promise<MemoryClient> {
    const client = cluster.acknowledging(node.dial('s'))
    await cluster.advance(20)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos }] })
    await cluster.advance(100)
    return client
  }

  async function publisher(node: MoveNode): Promise<MemoryClient> {
    const client = cluster.acknowledging(node.dial('p'))
    await cluster.advance(500)
    assert.equal(client.of('connack')[0]?.reasonCode, 0)
    return client
  }

  /** Numbers go on where they were. */
  function publish(client: MemoryClient, count: number, qos: QoS): void {
    client.onReceived = packet => {
      if (packet.cmd === 'pubrec')
        cluster.clock.defer(() => client.send({ cmd: 'pubrel', messageId: packet.messageId ?? 0 }))
    }
    for (let i = 0; i < count; i++) {
      client.send({
        cmd: 'publish',
        topic: 't',
        payload: `${number++}`,
        qos,
        messageId: ++lastPacketId,
        dup: false,
        retain: false,
      })
    }
  }

  for (const qos of [1, 2] as const) {
    it(`has what its old node owes a late one sent before what it publishes next, once, at QoS ${qos}`, async () => {
      const received = await subscriber(c, qos)
      const first = await publisher(a)
      a.gate.hold('c')
      publish(first, 5, qos)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 500)
      assert.deepEqual(textsOf(received), [])
      publish(await publisher(b), 5, qos)
      await cluster.advance(100)
      assert.deepEqual(textsOf(received), range(10))
      a.gate.release('c')
      await cluster.advance(1000)
      assert.deepEqual(textsOf(received), range(10))
      assert.ok(a.forwarder.owesNothing)
    })

    it(`is delivered in order, once, on the very node that was late at QoS ${qos}`, async () => {
      const received = await subscriber(b, qos)
      const first = await publisher(a)
      a.gate.hold('b')
      publish(first, 5, qos)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 500)
      publish(await publisher(b), 5, qos)
      await cluster.advance(100)
      a.gate.release('b')
      await cluster.advance(1000)
      assert.deepEqual(textsOf(received), range(10))
    })
  }

  it('is delivered in order, once, after any number of moves while a node is away', async () => {
    await subscriber(c, 2)
    await cluster.kill(c)
    for (let round = 0; round < 3; round++) {
      publish(await publisher(a), 2, 2)
      await cluster.advance(100)
      publish(await publisher(b), 2, 2)
      await cluster.advance(100)
    }
    // Each has everything by now, and nothing of it twice.
    assert.deepEqual(
      [a, b].map(
        ({ forwarder }) => forwarder.peers.queues().find(({ nodeId }) => nodeId === 'c')?.outboxMessages,
      ),
      [10, 12],
    )
    const again = await cluster.restart(c)
    await cluster.advance(3000)
    const received = cluster.acknowledging(again.dial('s'))
    await cluster.advance(3000)
    assert.deepEqual(textsOf(received), range(12))
  })

  it('is delivered in order though its old node was restarted before it moved', async () => {
    await subscriber(c, 1)
    const first = await publisher(a)
    await cluster.kill(c)
    publish(first, 5, 1)
    await cluster.advance(100)
    await cluster.kill(a)
    await cluster.restart(a)
    publish(await publisher(b), 5, 1)
    await cluster.advance(100)
    const again = await cluster.restart(c)
    const received = cluster.acknowledging(again.dial('s'))
    await cluster.advance(3000)
    assert.deepEqual(textsOf(received), range(10))
  })

  it('moves on only when what it brought along is accepted, or on disk', async () => {
    const received = await subscriber(c, 1)
    const first = await publisher(a)
    a.gate.hold('c')
    publish(first, 5, 1)
    await cluster.advance(ACCEPT_TIMEOUT_MS + 500)
    b.gate.hold('c')
    await publisher(b)
    const back = cluster.acknowledging(a.dial('p'))
    await cluster.advance(1000)
    assert.equal(back.of('connack').length, 0)
    b.gate.release('c')
    await cluster.advance(1000)
    assert.equal(back.of('connack')[0]?.reasonCode, 0)
    a.gate.release('c')
    await cluster.advance(1000)
    assert.deepEqual(textsOf(received), range(5))
  })

  it('takes nothing along when it is more than a move may carry, which is counted', async () => {
    await subscriber(c, 1)
    await publisher(a)
    await cluster.kill(c)
    const size = Math.ceil(limits.debtBytesMax / 100)
    for (let i = 0; i < 101; i++) a.publish('t', 'x'.repeat(size), 1, { publisher: 'p' })
    await cluster.advance(100)
    const moved = b.dial('p')
    await until(cluster, 'it has moved', () => moved.of('connack').length > 0)
    assert.equal(a.forwarder.stats.debtsLeft, 1)
    assert.equal(b.forwarder.stats.debtsTaken, 0)
  })
})
