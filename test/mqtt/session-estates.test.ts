import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import type { QoS } from '../../src/core/qos.ts'
import { SimStore } from '../../sim/ports/sim-store.ts'
import { JournalWriter } from '../../src/storage/journal-writer.ts'
import { StoreSessionJournal } from '../../src/storage/store-session-journal.ts'
import type { MemoryClient } from './support/memory-stream.ts'
import { MoveCluster, textsOf, type MoveNode } from '../support/move-cluster.ts'

const FILTER = '$share/g/t/#'
/** As a node names the shared subscription when it belongs to others. */
const GROUP = 'g t/#'

const range = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${from + index}`)

describe('What the session of a member of a shared group leaves when it ends', function () {
  this.timeout(30_000)
  let cluster: MoveCluster
  let a: MoveNode
  let b: MoveNode
  let c: MoveNode

  beforeEach(async () => {
    cluster = new MoveCluster()
    ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
  })

  /** The terms of a member that is never to have more than two messages in flight. */
  const two = { properties: { receiveMaximum: 2 } }
  type Terms = Parameters<MoveNode['dial']>[1]

  async function member(
    node: MoveNode,
    clientId: string,
    qos: QoS = 1,
    terms: Terms = two,
  ): Promise<MemoryClient> {
    const client = node.dial(clientId, terms)
    await cluster.advance(50)
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: FILTER, qos, nl: false, rap: false, rh: 0 }],
    })
    await cluster.advance(50)
    return client
  }

  /** The group has these members from now on, as far as `node` knows of the others. */
  function knows(node: MoveNode, members: Readonly<Record<string, number>>): void {
    node.groups.set(GROUP, new Map(Object.entries(members)))
  }

  async function publish(node: MoveNode, texts: readonly string[], qos: QoS = 1): Promise<void> {
    const outcomes = texts.map(text => node.publish('t/1', text, qos))
    await cluster.advance(50)
    assert.ok(outcomes.every(({ isAccepted }) => isAccepted))
  }

  async function storedIn(node: MoveNode): Promise<string[]> {
    const found: string[] = []
    const store = new SimStore({ clock: cluster.clock, disk: new Map(node.disk) })
    const journal = new StoreSessionJournal(new JournalWriter(store))
    for await (const { session, estate } of journal.load())
      found.push(`${session.clientId}${estate === undefined ? '' : ' (estate)'}`)
    return found
  }

  const redispatched = (node: MoveNode): number => node.shared.stats.redispatched

  const endings: readonly (readonly [how: string, terms: Terms, end: (x: MemoryClient) => void])[] = [
    [
      'by DISCONNECT with session expiry 0',
      two,
      x => x.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } }),
    ],
    [
      'with its connection',
      { clean: true, properties: { ...two.properties, sessionExpiryInterval: 0 } },
      x => x.vanish(),
    ],
    ['by its expiry', { properties: { ...two.properties, sessionExpiryInterval: 2 } }, x => x.vanish()],
    ['by a clean start here', two, () => void a.dial('x', { clean: true })],
    ['by a clean start on another node', two, () => void c.dial('x', { clean: true })],
  ]
  for (const [how, terms, end] of endings) {
    it(`goes to a member on another node, in order, when the session ends ${how}`, async () => {
      const x = await member(a, 'x', 1, terms)
      const y = cluster.acknowledging(await member(b, 'y', 1, {}))
      await publish(a, range(10))
      assert.deepEqual(textsOf(x), range(2))
      knows(a, { b: 1 })
      end(x)
      await cluster.advance(5000)
      assert.deepEqual(textsOf(y), range(10))
      assert.equal(redispatched(a), 10)
      assert.equal(a.broker.sessions.estates.count, 0)
      assert.deepEqual(
        (await storedIn(a)).filter(name => name.endsWith('(estate)')),
        [],
      )
    })
  }

  it('goes to a member on the same node', async () => {
    const x = await member(a, 'x')
    await publish(a, range(10))
    const y = cluster.acknowledging(await member(a, 'y', 1, {}))
    x.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(50)
    assert.deepEqual(textsOf(y), range(10))
  })

  it('leaves out what its client has acknowledged or refused', async () => {
    const x = await member(a, 'x')
    await publish(a, range(4))
    const [first, second] = x.of('publish')
    x.send({ cmd: 'puback', messageId: first?.messageId ?? 0, reasonCode: 0 })
    x.send({ cmd: 'puback', messageId: second?.messageId ?? 0, reasonCode: 0x80 })
    const y = cluster.acknowledging(await member(a, 'y', 1, {}))
    a.dial('x', { clean: true })
    await cluster.advance(50)
    assert.deepEqual(textsOf(y), ['2', '3'])
  })

  it('leaves out what has been sent at QoS 2, whether or not the client has said that it has it', async () => {
    const x = await member(a, 'x', 2)
    await publish(a, range(4), 2)
    x.send({ cmd: 'pubrec', messageId: x.of('publish')[0]?.messageId ?? 0 })
    const y = cluster.acknowledging(await member(a, 'y', 2, {}))
    x.vanish()
    a.dial('x', { clean: true })
    await cluster.advance(50)
    assert.deepEqual(textsOf(y), ['2', '3'])
  })

  it('leaves out what came by an ordinary subscription', async () => {
    const x = await member(a, 'x')
    x.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'o/#', qos: 1 }] })
    await cluster.advance(50)
    a.publish('o/1', 'ordinary')
    await publish(a, ['shared'])
    const y = cluster.acknowledging(await member(a, 'y', 1, {}))
    a.dial('x', { clean: true })
    await cluster.advance(50)
    assert.deepEqual(textsOf(y), ['shared'])
  })

  it('is dropped as far as it has expired, and all of it, counted, when nobody else is in the group', async () => {
    await member(a, 'x')
    a.publish('t/1', 'soon', 1, { expiresAtMs: cluster.clock.wallNow() + 200 })
    await publish(a, range(3))
    await cluster.advance(500)
    a.dial('x', { clean: true })
    await cluster.advance(50)
    assert.equal(a.broker.stats.droppedExpired, 1)
    assert.equal(a.shared.stats.nobody, 3)
    assert.deepEqual(await storedIn(a), ['x'])
  })

  it('is nothing when the session moves: what it has goes along, and is left where it ends', async () => {
    ;(await member(a, 'x')).vanish()
    await publish(a, range(5))
    const y = cluster.acknowledging(await member(c, 'y', 1, {}))
    knows(a, { c: 1 })
    knows(b, { c: 1 })
    const again = b.dial('x', two)
    await cluster.advance(5000)
    assert.deepEqual(textsOf(again), range(2))
    assert.deepEqual([redispatched(a), textsOf(y)], [0, []])
    b.dial('x', { clean: true })
    await cluster.advance(50)
    assert.deepEqual(textsOf(y), range(5))
  })

  it('comes back to a node whose member had it before, when that of another node ends, too', async () => {
    const x = await member(a, 'x')
    knows(b, { a: 1 })
    await publish(b, range(4))
    assert.deepEqual(textsOf(x), range(2))
    const y = await member(c, 'y')
    knows(a, { c: 1 })
    x.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(100)
    assert.deepEqual(textsOf(y), range(2))
    const z = cluster.acknowledging(await member(a, 'z', 1, {}))
    knows(c, { a: 1 })
    y.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(100)
    assert.deepEqual(textsOf(z), range(4))
  })

  it('comes back to a node whose member had it before the session moved', async () => {
    ;(await member(a, 'x')).vanish()
    knows(b, { a: 1 })
    await publish(b, range(4))
    const again = c.dial('x', two)
    await cluster.advance(5000)
    assert.deepEqual(textsOf(again), range(2))
    const z = cluster.acknowledging(await member(a, 'z', 1, {}))
    knows(c, { a: 1 })
    again.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(100)
    assert.deepEqual(textsOf(z), range(4))
  })

  it('is given by the old owner when the session ended at the new one before that had said what it has', async () => {
    ;(await member(a, 'x')).vanish()
    await publish(a, range(5))
    const y = cluster.acknowledging(await member(c, 'y', 1, {}))
    const taken = b.dial('x', two)
    for (
      let waited = 0;
      waited < 1000 && a.broker.sessions.sessions.get('x')?.departure === undefined;
      waited++
    )
      await cluster.advance(1)
    await cluster.kill(b)
    assert.equal(taken.of('connack').length, 0)
    knows(a, { c: 1 })
    c.dial('x', { clean: true })
    await cluster.advance(10_000)
    assert.deepEqual(textsOf(y), range(5))
  })

  it('has what follows a moved session when it has ended the shared subscription: other members get it', async () => {
    ;(await member(a, 'x')).vanish()
    const y = cluster.acknowledging(await member(c, 'y', 1, {}))
    knows(b, { c: 1 })
    const again = b.dial('x', two)
    while (again.of('connack').length === 0) await cluster.advance(1)
    again.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [FILTER] })
    const outcome = a.publish('t/1', 'late')
    await cluster.advance(3000)
    assert.ok(outcome.isAccepted)
    assert.deepEqual([textsOf(again), textsOf(y)], [[], ['late']])
    assert.deepEqual([await storedIn(a), await storedIn(b)], [[], ['x']])
  })

  it('goes to a third node when the second has no member any more', async () => {
    const x = await member(a, 'x')
    const y = cluster.acknowledging(await member(c, 'y', 1, {}))
    await publish(a, range(4))
    knows(a, { b: 100, c: 1 })
    x.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(100)
    assert.deepEqual(new Set(textsOf(y)), new Set(range(4)))
  })

  it('is kept by the disk until others have it: kill -9 in between loses nothing', async () => {
    await member(a, 'x')
    await publish(a, range(100))
    knows(a, { b: 1 })
    a.gate.hold('b')
    a.dial('x', { clean: true })
    await cluster.advance(50)
    assert.deepEqual((await storedIn(a)).sort(), ['x', 'x (estate)'])
    await cluster.kill(a)
    const y = cluster.acknowledging(await member(b, 'y', 1, {}))
    a = await cluster.restart(a)
    await cluster.advance(1500)
    const got = textsOf(y)
    assert.deepEqual(got, range(100))
    assert.deepEqual(await storedIn(a), ['x'])
  })

  it('lies beside later sessions of that client, however many end before it is given', async () => {
    const y = cluster.acknowledging(await member(b, 'y', 1, {}))
    a.gate.hold('b')
    for (const from of [0, 10, 20]) {
      await member(a, 'x')
      knows(a, {})
      await publish(a, range(10, from))
      knows(a, { b: 1 })
      a.dial('x', { clean: true })
      await cluster.advance(50)
    }
    assert.deepEqual((await storedIn(a)).sort(), ['x', ...Array<string>(3).fill('x (estate)')])
    a.gate.release('b')
    await cluster.advance(500)
    assert.deepEqual(textsOf(y), range(30))
    assert.deepEqual(await storedIn(a), ['x'])
  })

  it('waits while its node is suspended', async () => {
    const x = await member(a, 'x')
    const y = cluster.acknowledging(await member(b, 'y', 1, {}))
    await publish(a, range(3))
    knows(a, { b: 1 })
    a.isAlive = false
    x.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(3000)
    assert.deepEqual(textsOf(y), [])
    a.isAlive = true
    a.broker.sessions.setSuspended(false)
    await cluster.advance(50)
    assert.deepEqual(textsOf(y), range(3))
  })

  it('is given in bounded pages: of one session no more than are accepted, of all so many per turn', async () => {
    await member(a, 'x')
    const count = 3 * limits.estatePageMessagesMax
    await publish(a, range(count))
    const y = await member(b, 'y', 1, {})
    knows(a, { b: 1 })
    b.gate.hold('a')
    a.dial('x', { clean: true })
    await cluster.advance(500)
    assert.equal(redispatched(a), limits.estatePageMessagesMax)
    b.gate.release('a')
    cluster.acknowledging(y)
    for (const { messageId = 0 } of y.of('publish')) y.send({ cmd: 'puback', messageId, reasonCode: 0 })
    await cluster.advance(500)
    assert.deepEqual(textsOf(y), range(count))
  })
})
