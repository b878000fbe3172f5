import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import type { QoS } from '../../src/core/qos.ts'
import { MoveCluster, textsOf, type MoveNode } from '../support/move-cluster.ts'
import type { MemoryClient } from './support/memory-stream.ts'

const COUNT = limits.snapshotMessagesMax * 8
const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `${from + index}`)

describe('A session with a long queue that moves between nodes', function () {
  this.timeout(30_000)
  let cluster: MoveCluster
  let a: MoveNode
  let b: MoveNode
  let c: MoveNode

  async function start(): Promise<void> {
    cluster = new MoveCluster()
    ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
  }

  /** Of `x`, on a, without its client. */
  async function queued(qos: QoS = 2, clientIds = ['x']): Promise<void> {
    const clients = clientIds.map(clientId => a.dial(clientId))
    await cluster.advance(20)
    const subscription = { topic: 't/#', qos, nl: false, rap: true, rh: 0 as const }
    for (const client of clients)
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [subscription] })
    await cluster.advance(100)
    for (const client of clients) client.vanish()
    for (const text of range(0, COUNT)) c.publish('t/1', text, qos)
    await cluster.advance(100)
  }

  /** Connects to the node and stops as soon as it is let in. */
  async function letIn(node: MoveNode): Promise<MemoryClient> {
    const client = cluster.acknowledging(node.dial('x'))
    for (let ms = 0; ms < 5000 && client.of('connack').length === 0; ms++) await cluster.advance(1)
    assert.equal(client.of('connack')[0]?.sessionPresent, true)
    return client
  }

  const waitingAt = (node: MoveNode): number => node.broker.sessions.sessions.get('x')?.queuedCount ?? 0
  const holders = (): string[] =>
    [a, b, c].filter(node => node.broker.sessions.sessions.has('x')).map(({ nodeId }) => nodeId)

  beforeEach(start)

  it('is served while most of the queue is still to come, and gets it in order, before what is published then', async () => {
    await queued()
    const client = await letIn(b)
    assert.ok(waitingAt(a) >= COUNT - limits.snapshotMessagesMax)
    assert.ok(waitingAt(b) <= limits.snapshotMessagesMax)
    b.publish('t/1', `${COUNT}`, 2) // directly
    c.publish('t/1', `${COUNT + 1}`, 2) // by the old routes, and perhaps by both
    await cluster.advance(3000)
    const texts = textsOf(client)
    assert.deepEqual(texts.slice(0, COUNT), range(0, COUNT))
    assert.deepEqual(texts.slice(COUNT).sort(), range(COUNT, COUNT + 2)) // of two publishers
    assert.deepEqual(holders(), ['b'])
  })

  it('follows in its turn when many move at once: those that came first are whole first', async () => {
    const clientIds = range(0, 6)
    await queued(1, clientIds)
    const clients = clientIds.map(clientId => cluster.acknowledging(b.dial(clientId)))
    const counts = (): number[] => clients.map(client => textsOf(client).length)
    for (let ms = 0; ms < 5000 && Math.max(...counts()) < COUNT; ms++) await cluster.advance(1)
    assert.equal(Math.max(...counts()), COUNT)
    assert.equal(Math.min(...counts()), limits.snapshotMessagesMax) // served, and waiting for its turn
    await cluster.advance(3000)
    for (const client of clients) assert.deepEqual(textsOf(client), range(0, COUNT))
  })

  it('is cut by bytes, too', async () => {
    const client = a.dial('x')
    await cluster.advance(20)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't/#', qos: 1 }] })
    await cluster.advance(100)
    client.vanish()
    const bytes = limits.snapshotBytesMax / 4
    for (const text of range(0, 20)) b.publish('t/1', `${text} `.padEnd(bytes, '.'))
    await cluster.advance(100)
    const again = await letIn(b)
    assert.equal(waitingAt(a), 20) // nothing is forgotten yet
    assert.ok(textsOf(again).length <= 4)
    await cluster.advance(3000)
    assert.deepEqual(
      textsOf(again).map(text => text.split(' ')[0]),
      range(0, 20),
    )
  })

  it('gets what its client unsubscribes from meanwhile, as everything that was queued before', async () => {
    await queued(1)
    const client = await letIn(b)
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['t/#'] })
    await cluster.advance(3000)
    assert.deepEqual(textsOf(client), range(0, COUNT))
    assert.deepEqual(holders(), ['b'])
  })

  it('is told from what reaches its old owner after a restart', async () => {
    await queued()
    await letIn(b)
    await cluster.kill(a)
    a = await cluster.restart(a)
    await cluster.advance(100)
    c.publish('t/1', 'late', 2)
    await cluster.advance(50)
    const restTo = a.broker.sessions.sessions.get('x')?.departure?.restTo ?? assert.fail('it is not leaving')
    const tail = a.broker.sessions.moves.tail('x', restTo, 10)
    assert.deepEqual(
      tail.map(({ publication }) => Buffer.from(publication.payload).toString()),
      ['late'],
    )
  })

  for (const way of ['on', 'back'] as const) {
    it(`goes ${way} with everything, in order, at any moment while the rest follows`, async () => {
      for (let afterMs = 0; afterMs < 30; afterMs += 4) {
        await start()
        await queued()
        const there = await letIn(b)
        await cluster.advance(afterMs)
        const next = await letIn(way === 'on' ? c : a)
        c.publish('t/1', `${COUNT}`, 2)
        await cluster.advance(8000)
        const texts = [there, next].flatMap(textsOf)
        // What was under way to the first of the two may have been sent and not acknowledged.
        assert.deepEqual([...new Set(texts)], range(0, COUNT + 1), `after ${afterMs} ms`)
        assert.deepEqual(holders(), [way === 'on' ? 'c' : 'a'], `after ${afterMs} ms`)
      }
    })
  }

  for (const who of ['new owner', 'old owner', 'both'] as const) {
    it(`loses and repeats nothing at QoS 2 when the ${who} is killed while the rest follows, and comes back`, async () => {
      for (let afterMs = 0; afterMs < 20; afterMs += 3) {
        await start()
        await queued()
        const first = await letIn(b)
        await cluster.advance(afterMs)
        if (who !== 'new owner') await cluster.kill(a)
        if (who !== 'old owner') await cluster.kill(b)
        await cluster.advance(50)
        if (who !== 'new owner') a = await cluster.restart(a)
        if (who !== 'old owner') b = await cluster.restart(b)
        const client = who === 'old owner' ? first : await letIn(b)
        await cluster.advance(100)
        // Both are in the routes: these come by the old owner and directly.
        const late = range(COUNT, COUNT + 20)
        for (const text of late) c.publish('t/1', text, 2)
        await cluster.advance(20_000)
        const texts = textsOf(client)
        const all = client === first ? texts : [...textsOf(first), ...texts]
        assert.deepEqual(
          [...new Set(all)].sort((one, other) => Number(one) - Number(other)),
          range(0, COUNT + 20),
          `after ${afterMs} ms`,
        )
        assert.equal(new Set(texts).size, texts.length, `after ${afterMs} ms`)
        assert.deepEqual(
          late.filter(text => all.filter(other => other === text).length > 1),
          [],
          `after ${afterMs} ms`,
        )
        const queue = texts.filter(text => Number(text) < COUNT)
        assert.deepEqual(
          queue,
          queue.toSorted((one, other) => Number(one) - Number(other)),
          `after ${afterMs} ms`,
        )
        assert.deepEqual(holders(), ['b'], `after ${afterMs} ms`)
      }
    })
  }
})
