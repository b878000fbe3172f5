import assert from 'node:assert/strict'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { MoveCluster, type MoveNode } from '../support/move-cluster.ts'
import type { MemoryClient } from './support/memory-stream.ts'
import { MqttHarness } from './support/mqtt-harness.ts'

const DELAY_MS = 5000

const will = {
  topic: 'will/x',
  payload: Buffer.from('gone'),
  qos: 1 as const,
  retain: false,
  properties: { willDelayInterval: DELAY_MS / 1000 },
}

describe('The delayed will of a client that had gone before its node died', () => {
  let cluster: MoveCluster
  let a: MoveNode
  let b: MoveNode
  let watcher: MemoryClient

  beforeEach(async () => {
    cluster = new MoveCluster()
    const [first, second, third] = await cluster.start(['a', 'b', 'c'])
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    a = first
    b = second
    watcher = cluster.acknowledging(third.dial('watcher'))
    await cluster.advance(20)
    watcher.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'will/#', qos: 1 }] })
    await cluster.advance(100)
    const client = a.dial('x', { will })
    await cluster.advance(50)
    client.vanish()
    await cluster.advance(100)
  })

  const fired = (): number => watcher.of('publish').length

  it('comes once, when its delay is over, from the next life of the node', async () => {
    await cluster.kill(a)
    await cluster.advance(1000)
    a = await cluster.restart(a)
    await cluster.advance(DELAY_MS - 1500)
    assert.equal(fired(), 0)
    await cluster.advance(500)
    assert.equal(fired(), 1)
    await cluster.kill(a)
    await cluster.restart(a)
    await cluster.advance(2 * DELAY_MS)
    assert.equal(fired(), 1)
  })

  it('comes as soon as the node is back, if it was due before', async () => {
    const neighbour = a.dial('neighbour')
    await cluster.advance(20)
    neighbour.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'will/#', qos: 1 }] })
    await cluster.advance(20)
    await cluster.kill(a)
    await cluster.advance(2 * DELAY_MS)
    a = await cluster.restart(a)
    const again = a.dial('neighbour')
    await cluster.advance(100)
    assert.equal(again.of('publish').length, 1)
  })

  it('does not come when the client is back in time', async () => {
    await cluster.kill(a)
    a = await cluster.restart(a)
    const again = a.dial('x')
    await cluster.advance(2 * DELAY_MS)
    assert.equal(again.of('connack')[0]?.sessionPresent, true)
    assert.equal(fired(), 0)
  })

  it('does not come from a node whose session went to another with its client', async () => {
    const there = b.dial('x')
    while (there.of('connack').length === 0) await cluster.advance(1)
    assert.equal(there.of('connack')[0]?.sessionPresent, true)
    assert.notEqual(a.broker.sessions.sessions.get('x')?.departure, undefined)
    await cluster.kill(a)
    await cluster.advance(2 * DELAY_MS)
    await cluster.restart(a)
    await cluster.advance(2 * DELAY_MS)
    assert.equal(fired(), 0)
  })

  it('comes from a node that found the session leaving and kept it', async () => {
    const there = b.dial('x')
    while (a.broker.sessions.sessions.get('x')?.departure === undefined) await cluster.advance(1)
    await cluster.advance(2) // until that is on its disk
    await cluster.kill(b)
    await cluster.kill(a)
    a = await cluster.restart(a)
    assert.deepEqual(there.of('connack'), [])
    await cluster.advance(60_000)
    assert.equal(a.broker.sessions.sessions.get('x')?.departure, undefined)
    assert.equal(fired(), 1)
  })

  it('comes though the session was over before the node served', async () => {
    const clock = new VirtualClock()
    const store = new MemoryStore({ clock })
    const before = new MqttHarness({}, store)
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await before.settle()
        await clock.advance(5)
      }
    }
    const properties = { sessionExpiryInterval: 1 }
    const client = await before.connect('x', { clean: false, properties, will })
    await settle()
    assert.equal(client.of('connack').length, 1)
    client.vanish()
    await settle()

    const next = new MqttHarness({}, store, false)
    for await (const stored of next.journal.load()) next.broker.sessions.restore(stored)
    assert.equal(next.broker.sessions.sessionCount, 1)
    await next.clock.advance(5000)
    next.broker.serve('0.0.0')
    const subscriber = await next.connect('watcher')
    await next.subscribe(subscriber, 'will/#')
    await next.clock.advance(2000)
    assert.equal(subscriber.of('publish').length, 1)
    assert.equal(next.broker.sessions.sessions.has('x'), false)
  })
})
