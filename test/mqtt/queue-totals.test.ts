import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import type { MqttBroker } from '../../src/mqtt/mqtt-broker.ts'
import { MoveCluster, textsOf, type MoveNode } from '../support/move-cluster.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

/** What is kept beside the queues is what is found by going through them; answers the number of messages. */
function agreed({ sessions, stats }: MqttBroker): number {
  const all = [...sessions.sessions.values()]
  assert.deepEqual(stats.queued, {
    messages: all.reduce((sum, { queuedCount }) => sum + queuedCount, 0),
    bytes: all.reduce((sum, { queue }) => sum + queue.byteCount, 0),
  })
  return stats.queued.messages
}

describe('the totals of all queues of a node', () => {
  const kept = { clean: false, properties: { sessionExpiryInterval: 60 } }
  let harness: MqttHarness

  async function publish(qos: 1 | 2, count: number): Promise<void> {
    const publisher = await harness.connect('p')
    for (let messageId = 1; messageId <= count; messageId++) {
      const message = {
        topic: 'a',
        payload: 'x'.repeat(messageId),
        qos,
        dup: false,
        retain: false,
        messageId,
      }
      publisher.send({ cmd: 'publish', ...message })
    }
    await harness.settle()
    if (qos === 2)
      for (let messageId = 1; messageId <= count; messageId++) publisher.send({ cmd: 'pubrel', messageId })
    await harness.settle()
  }

  beforeEach(() => {
    harness = new MqttHarness({ inflightMax: 2, queueMessagesMax: 5 })
  })

  it('fall with each message acknowledged, dropped, or over with its session', async () => {
    const slow = await harness.connect('slow', kept)
    await harness.subscribe(slow, 'a', 1)
    await publish(1, 8)
    assert.equal(agreed(harness.broker), 5)
    for (const { messageId } of slow.of('publish')) slow.send({ cmd: 'puback', messageId: messageId ?? 0 })
    await harness.settle()
    assert.equal(agreed(harness.broker), 3)
    slow.vanish()
    await harness.settle()
    assert.equal(agreed(harness.broker), 3)
    await harness.connect('slow', { clean: true })
    assert.equal(agreed(harness.broker), 0)
  })

  it('count a QoS 2 message until PUBCOMP, its bytes until PUBREC', async () => {
    const client = await harness.connect('s', kept)
    await harness.subscribe(client, 'a', 2)
    await publish(2, 1)
    assert.equal(agreed(harness.broker), 1)
    const messageId = client.of('publish')[0]?.messageId ?? assert.fail()
    client.send({ cmd: 'pubrec', messageId })
    await harness.settle()
    assert.deepEqual([agreed(harness.broker), harness.broker.stats.queued.bytes], [1, 0])
    client.send({ cmd: 'pubcomp', messageId })
    await harness.settle()
    assert.equal(agreed(harness.broker), 0)
  })

  it('go along with a session that moves, and its tail', async function () {
    this.timeout(30_000)
    const cluster = new MoveCluster()
    const [a, b] = (await cluster.start(['a', 'b'])) as [MoveNode, MoveNode]
    const totals = (): number[] => [a, b].map(({ broker }) => agreed(broker))
    const client = a.dial('x')
    await cluster.advance(20)
    const subscription = { topic: 't/#', qos: 1, nl: false, rap: true, rh: 0 } as const
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [subscription] })
    await cluster.advance(100)
    client.vanish()
    const count = limits.snapshotMessagesMax * 3
    for (let i = 0; i < count; i++) b.publish('t/1', `${i}`, 1)
    await cluster.advance(100)
    assert.deepEqual(totals(), [count, 0])
    const moved = b.dial('x')
    await cluster.advance(3000)
    assert.deepEqual(totals(), [0, count])
    moved.vanish()
    await cluster.advance(10)
    const reading = cluster.acknowledging(a.dial('x'))
    for (let ms = 0; ms < 3000; ms += 10) {
      await cluster.advance(10)
      totals()
    }
    assert.deepEqual(totals(), [0, 0])
    assert.equal(new Set(textsOf(reading)).size, count)
  })
})
