import assert from 'node:assert/strict'
import type { Packet } from 'mqtt-packet'
import type { QoS } from '../../src/core/qos.ts'
import { limits } from '../../src/core/limits.ts'
import { RESERVED_FROM } from '../../src/core/publication.ts'
import { ACCEPT_TIMEOUT_MS, MoveCluster, textsOf, type MoveNode } from '../support/move-cluster.ts'
import type { MemoryClient } from './support/memory-stream.ts'

const range = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${from + index}`)

describe('A session that moves between nodes', function () {
  this.timeout(30_000)
  let cluster: MoveCluster
  let a: MoveNode
  let b: MoveNode
  let c: MoveNode

  beforeEach(async () => {
    cluster = new MoveCluster()
    ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
  })

  /** Connected, subscribed to `t/#`, and known everywhere. */
  async function subscriber(
    node: MoveNode,
    qos: QoS = 1,
    clientId = 'x',
    topic = 't/#',
  ): Promise<MemoryClient> {
    const client = node.dial(clientId)
    await cluster.advance(20)
    subscribe(client, topic, qos)
    await cluster.advance(100)
    return client
  }

  function subscribe(client: MemoryClient, topic: string, qos: QoS): void {
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic, qos, nl: false, rap: true, rh: 0 }],
      properties: { subscriptionIdentifier: 7 },
    })
  }

  const acknowledging = (client: MemoryClient): MemoryClient => cluster.acknowledging(client)

  const presentOf = (client: MemoryClient): boolean | undefined => client.of('connack')[0]?.sessionPresent

  function isGoneFrom(node: MoveNode): boolean {
    return !node.broker.sessions.sessions.has('x')
  }

  async function rowsOf(node: MoveNode): Promise<string[]> {
    const keys: string[] = []
    for await (const stored of node.journal.load()) keys.push(stored.session.clientId)
    return keys
  }

  for (const count of [1, 100, 10_000]) {
    it(`brings ${count} queued messages along, and the subscription with its options`, async () => {
      const client = await subscriber(a)
      client.vanish()
      for (const text of range(count)) b.publish('t/1', text)
      await cluster.advance(50)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(3000)
      assert.equal(presentOf(again), true)
      assert.deepEqual(textsOf(again), range(count))
      assert.ok(again.of('publish').every(({ properties }) => properties?.subscriptionIdentifier === 7))
      assert.ok(isGoneFrom(a))
      assert.deepEqual(await rowsOf(a), [])
      again.received.length = 0
      a.publish('t/2', 'after', 1, { retain: true })
      await cluster.advance(100)
      assert.deepEqual(textsOf(again), ['after'])
      assert.equal(again.of('publish')[0]?.retain, true)
    })
  }

  it('goes through though it is larger than the queue to the peer', async () => {
    const client = await subscriber(a)
    client.vanish()
    const size = Math.ceil(limits.peerQueueBytesMax / 100)
    for (let number = 0; number < 250; number++) b.publish('t/1', `${number} `.padEnd(size, '.'))
    await cluster.advance(50)
    const again = acknowledging(b.dial('x'))
    await cluster.advance(3000)
    assert.equal(presentOf(again), true)
    assert.deepEqual(
      textsOf(again).map(text => Number.parseInt(text)),
      range(250).map(Number),
    )
  })

  it('tells the old connection 0x8E, at once, and serves one only', async () => {
    const client = await subscriber(a)
    const again = b.dial('x')
    await cluster.advance(60)
    assert.equal(client.of('disconnect')[0]?.reasonCode, 0x8e)
    assert.ok(client.isClosed)
    assert.equal(presentOf(again), true)
    assert.equal(cluster.recordOf('x')?.node, 'b')
    assert.equal(cluster.recordOf('x')?.how, 'moved')
  })

  it('is not written about any more by a broker that has stopped', async () => {
    ;(await subscriber(a, 2)).vanish()
    const again = acknowledging(b.dial('x'))
    await cluster.advance(20)
    b.publish('t/1', 'while the tail is open', 2)
    await cluster.advance(5000)
    assert.deepEqual([textsOf(again), isGoneFrom(a)], [['while the tail is open'], true])
    b.broker.stop()
    const { appended } = b.journal
    await cluster.advance(120_000)
    assert.equal(b.journal.appended, appended)
  })

  it('sends what was in flight again, as a duplicate, under the same packet identifiers, and no more at once', async () => {
    const client = await subscriber(a, 2)
    for (const text of range(30)) a.publish('t/1', text, text === '0' ? 1 : 2)
    await cluster.advance(50)
    const before = client.of('publish')
    assert.equal(before.length, 8) // inflightMax
    client.send({ cmd: 'pubrec', messageId: before[1]?.messageId ?? 0 })
    await cluster.advance(20)
    const again = b.dial('x', { properties: { receiveMaximum: 5, sessionExpiryInterval: 3600 } })
    await cluster.advance(3000)
    const after = again.of('publish')
    assert.deepEqual(
      [after.length, again.of('pubrel').map(({ messageId }) => messageId)],
      [4, [before[1]?.messageId]],
    )
    const sentBefore = before.filter((_, index) => index !== 1).slice(0, 4)
    assert.deepEqual(
      after.map(({ messageId, dup, payload }) => [messageId, dup, String(payload)]),
      sentBefore.map(({ messageId, payload }) => [messageId, true, String(payload)]),
    )
  })

  it('still knows the QoS 2 packets it has taken and not released', async () => {
    const client = await subscriber(a)
    client.send({
      cmd: 'publish',
      topic: 't/own',
      payload: 'once',
      qos: 2,
      messageId: 9,
      dup: false,
      retain: false,
    })
    await cluster.advance(50)
    assert.equal(client.of('pubrec').length, 1)
    const again = acknowledging(b.dial('x'))
    await cluster.advance(100)
    again.send({
      cmd: 'publish',
      topic: 't/own',
      payload: 'once',
      qos: 2,
      messageId: 9,
      dup: true,
      retain: false,
    })
    await cluster.advance(3000)
    assert.equal(again.of('pubrec').length, 1)
    assert.deepEqual(textsOf(again), ['once'])
    again.send({ cmd: 'pubrel', messageId: 9 })
    await cluster.advance(50)
    assert.equal(again.of('pubcomp')[0]?.reasonCode ?? 0, 0)
  })

  it('waits until what its client published is accepted by the other nodes', async () => {
    const client = await subscriber(a)
    const other = c.dial('other')
    await cluster.advance(20)
    other.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'u', qos: 2, nl: false, rap: false, rh: 0 }],
    })
    await cluster.advance(100)
    c.gate.hold('a') // it does not say what it accepts for now
    client.send({ cmd: 'publish', topic: 'u', payload: 'm', qos: 2, messageId: 9, dup: false, retain: false })
    await cluster.advance(20)
    const again = b.dial('x')
    await cluster.advance(1000)
    assert.equal(again.of('connack').length, 0)
    assert.equal(cluster.recordOf('x')?.node, 'a')
  })

  for (const qos of [1, 2] as const) {
    it(`gets what is published while it moves, in order${qos === 2 ? ', once' : ''}, at QoS ${qos}`, async () => {
      const client = acknowledging(await subscriber(a, qos))
      const accepted: { isAccepted: boolean }[] = []
      let number = 0
      const flow = cluster.clock.repeat(3, () => void accepted.push(c.publish('t/1', `${number++}`, qos)))
      await cluster.advance(100)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(3000)
      const third = acknowledging(a.dial('x'))
      await cluster.advance(3000)
      flow.cancel()
      await cluster.advance(3000)
      assert.ok(accepted.every(({ isAccepted }) => isAccepted))
      assert.deepEqual([presentOf(again), presentOf(third)], [true, true])
      const texts = [...textsOf(client), ...textsOf(again), ...textsOf(third)]
      const first = texts.filter((text, index) => texts.indexOf(text) === index)
      assert.deepEqual(first, range(number))
      if (qos === 2) assert.equal(texts.length, number)
      assert.ok(isGoneFrom(b))
      assert.deepEqual(await rowsOf(b), [])
    })
  }

  for (const pauseMs of [10, 35, 60, 150, 700]) {
    it(`loses and repeats nothing at QoS 2, in order, while its client goes round the nodes every ${pauseMs} ms`, async () => {
      let client = acknowledging(await subscriber(a, 2))
      const texts: string[] = []
      const open = new Map<number, string>()
      const repeated: string[] = []
      /** As a client tells: what comes again under its packet identifier before PUBREL is the same message. */
      const listen = (): void => {
        const { onReceived } = client
        client.onReceived = packet => {
          const messageId = packet.messageId ?? 0
          if (packet.cmd === 'publish' && open.get(messageId) !== String(packet.payload)) {
            if (texts.includes(String(packet.payload))) repeated.push(String(packet.payload))
            else texts.push(String(packet.payload))
            open.set(messageId, String(packet.payload))
          }
          if (packet.cmd === 'pubrel') open.delete(messageId)
          onReceived?.(packet)
        }
      }
      listen()
      let sent = 0
      const flow = cluster.clock.repeat(3, () => void c.publish('t/1', `${sent++}`, 2))
      for (const node of [b, a, c, b, c, a, b, a, b, c]) {
        await cluster.advance(pauseMs)
        client = acknowledging(node.dial('x'))
        listen()
        await cluster.advance(40)
        assert.equal(presentOf(client), true)
      }
      flow.cancel()
      await cluster.advance(5000)
      assert.deepEqual([texts, repeated], [range(sent), []])
    })
  }

  describe('while messages are under way by the old routes', () => {
    it('gets what waits in an outbox for its old owner, though that link comes back long after', async () => {
      const client = acknowledging(await subscriber(a, 2))
      client.vanish()
      c.gate.hold('a')
      const outcome = c.publish('t/1', 'late', 2)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
      assert.equal(outcome.isAccepted, true) // it is in the outbox of c
      const again = acknowledging(b.dial('x'))
      await cluster.advance(20_000)
      assert.equal(presentOf(again), true)
      c.publish('t/1', 'direct', 2)
      await cluster.advance(1000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['direct'], false])
      c.gate.release('a')
      await cluster.advance(2000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['direct', 'late'], true])
    })

    it('gets it in order where that takes less than two seconds', async () => {
      const client = acknowledging(await subscriber(a, 2))
      client.vanish()
      c.gate.hold('a')
      c.publish('t/1', '0', 2)
      await cluster.advance(100)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(1000)
      c.publish('t/1', '1', 2)
      await cluster.advance(500)
      assert.deepEqual(textsOf(again), [])
      c.gate.release('a')
      await cluster.advance(200)
      assert.deepEqual([textsOf(again), b.broker.stats.tailsLate], [['0', '1'], 0])
    })

    it('gets it in order though it has moved on before its first owner had it', async () => {
      const client = acknowledging(await subscriber(a, 2))
      client.vanish()
      c.gate.hold('a')
      c.publish('t/1', '0', 2)
      await cluster.advance(100)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(500)
      c.publish('t/1', '1', 2)
      await cluster.advance(100)
      const third = acknowledging(c.dial('x'))
      await cluster.advance(50)
      c.publish('t/1', '2', 2) // to b as well, whose tail brings it
      await cluster.advance(500)
      assert.deepEqual([textsOf(again), presentOf(third), textsOf(third)], [[], true, []])
      c.gate.release('a')
      await cluster.advance(500)
      assert.deepEqual([textsOf(third), c.broker.stats.tailsLate], [['0', '1', '2'], 0])
    })

    it('is known at its old owner to be given away, after a restart of that, too', async () => {
      acknowledging(await subscriber(a, 2)).vanish()
      c.gate.hold('a')
      const given = (): unknown[] =>
        a.broker.sessions.moves.leaving().map(({ departure }) => departure.isGiven)
      acknowledging(b.dial('x'))
      await cluster.advance(1000)
      assert.deepEqual(given(), [true])
      await cluster.kill(a)
      a = await cluster.restart(a)
      assert.deepEqual(given(), [true])
    })

    it('is not held up again, where it moves on to, by an owner that was waited for in vain', async () => {
      const client = acknowledging(await subscriber(a, 2))
      client.vanish()
      c.gate.hold('a')
      const again = acknowledging(b.dial('x'))
      await cluster.advance(500)
      c.publish('t/1', '0', 2)
      await cluster.advance(1000)
      assert.deepEqual(textsOf(again), [])
      await cluster.advance(1000)
      assert.deepEqual([textsOf(again), b.broker.stats.tailsLate], [['0'], 1])
      const third = acknowledging(c.dial('x'))
      await cluster.advance(200)
      c.publish('t/1', '1', 2)
      await cluster.advance(200)
      assert.deepEqual([presentOf(third), textsOf(third), c.broker.stats.tailsLate], [true, ['1'], 0])
    })

    it('gets it in order though another topic came directly for the sake of another session', async () => {
      const client = acknowledging(await subscriber(a, 2))
      await subscriber(b, 2, 'still', 't/other')
      client.vanish()
      c.gate.hold('a')
      const again = acknowledging(b.dial('x'))
      while (presentOf(again) === undefined) await cluster.advance(1)
      c.publish('t/other', 'both ways', 2)
      c.publish('t/1', '0', 2) // c does not know yet that b wants it
      await cluster.advance(500)
      c.publish('t/1', '1', 2)
      await cluster.advance(500)
      c.gate.release('a')
      await cluster.advance(500)
      assert.deepEqual([textsOf(again), b.broker.stats.tailsLate], [['both ways', '0', '1'], 0])
    })

    it('gets it in order though its publisher went from its new node to one that knows the old route alone', async () => {
      acknowledging(await subscriber(a, 2)).vanish()
      const again = acknowledging(b.dial('x'))
      while (presentOf(again) === undefined) await cluster.advance(1)
      b.publish('t/1', '0', 2)
      await cluster.advance(10)
      c.publish('t/1', '1', 2)
      await cluster.advance(500)
      assert.deepEqual([textsOf(again), b.broker.stats.tailsLate], [['0', '1'], 0])
    })

    it('gets it in order though its new node does not know yet what it has subscribed to at the old one', async () => {
      a.routeDelayMs = 500
      const client = acknowledging(a.dial('x'))
      await cluster.advance(20)
      subscribe(client, 't/#', 2)
      await cluster.advance(20)
      client.vanish()
      c.gate.hold('a') // so that the old owner does not let go
      const again = acknowledging(b.dial('x'))
      let number = 0
      const flow = cluster.clock.repeat(20, () => void b.publish('t/1', `${number++}`, 2))
      await cluster.advance(1000)
      flow.cancel()
      c.gate.release('a')
      await cluster.advance(500)
      const [first, ...more] = textsOf(again)
      assert.deepEqual([presentOf(again), first === undefined], [true, false])
      assert.deepEqual(more, range(number).slice(Number(first) + 1))
    })

    it('waits two seconds at most until all nodes know what it has subscribed to', async () => {
      a.routeDelayMs = 60_000
      const client = acknowledging(a.dial('x'))
      await cluster.advance(20)
      subscribe(client, 't/#', 2)
      await cluster.advance(20)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(1900)
      assert.equal(presentOf(again), undefined)
      await cluster.advance(200)
      assert.equal(presentOf(again), true)
    })

    it('gets nothing that has expired while it waited to be handed over', async () => {
      a.routeDelayMs = 1500
      const client = acknowledging(a.dial('x'))
      await cluster.advance(20)
      subscribe(client, 't/#', 1)
      await cluster.advance(20)
      client.vanish()
      await cluster.advance(20)
      a.publish('t/1', 'fading', 1, { expiresAtMs: cluster.clock.wallNow() + 1000 })
      a.publish('t/1', 'lasting', 1, { expiresAtMs: cluster.clock.wallNow() + 5000 })
      const again = acknowledging(b.dial('x'))
      await cluster.advance(2000)
      assert.deepEqual([presentOf(again), textsOf(again)], [true, ['lasting']])
    })

    it('gets it though its new node has delivered it to others before, and restarts', async () => {
      const still = acknowledging(await subscriber(b, 2, 'still'))
      await subscriber(c, 1, 'reader', 'r/#')
      const client = acknowledging(await subscriber(a, 2))
      a.gate.hold('c')
      client.send({
        cmd: 'publish',
        topic: 'r/1',
        payload: 'owed',
        qos: 1,
        messageId: 9,
        dup: false,
        retain: false,
      })
      await cluster.advance(10)
      client.vanish()
      const dialled = b.dial('x')
      await cluster.advance(100) // frozen, until what its client published is accepted
      c.publish('t/1', 'followed', 2)
      await cluster.advance(100)
      assert.deepEqual([textsOf(still), presentOf(dialled)], [['followed'], undefined])
      a.gate.release('c')
      while (presentOf(dialled) === undefined) await cluster.advance(1)
      dialled.vanish()
      await cluster.kill(b)
      b = await cluster.restart(b)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(5000)
      assert.deepEqual([presentOf(again), textsOf(again), isGoneFrom(a)], [true, ['followed'], true])
    })

    describe('and its publisher’s node has been away', () => {
      let client: MemoryClient

      /** It has one message for the old owner on its disk, and another has come directly. */
      beforeEach(async () => {
        acknowledging(await subscriber(a, 2)).vanish()
        c.gate.hold('a')
        c.publish('t/1', '0', 2)
        await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
        await cluster.kill(c)
        client = acknowledging(b.dial('x'))
        await cluster.advance(1000)
        a.publish('t/1', 'meanwhile', 2)
        await cluster.advance(100)
        assert.deepEqual(textsOf(client), ['meanwhile'])
        c = await cluster.boot('c', c.disk)
        c.gate.hold('a')
        await cluster.advance(100)
        c.publish('t/1', '1', 2)
        await cluster.advance(1000)
        assert.deepEqual(textsOf(client), ['meanwhile'])
      })

      it('gets what that has for its old owner before what it publishes next', async () => {
        c.gate.release('a')
        await cluster.advance(500)
        c.publish('t/1', '2', 2)
        await cluster.advance(500)
        assert.deepEqual([textsOf(client), isGoneFrom(a)], [['meanwhile', '0', '1', '2'], true])
        assert.equal(b.broker.stats.tailsLate, 0)
      })

      it('waits for two seconds, once', async () => {
        await cluster.advance(1100)
        assert.deepEqual([textsOf(client), b.broker.stats.tailsLate], [['meanwhile', '1'], 1])
        c.publish('t/1', '2', 2)
        await cluster.advance(100)
        assert.deepEqual(textsOf(client), ['meanwhile', '1', '2'])
        c.gate.release('a')
        await cluster.advance(500)
        assert.deepEqual(textsOf(client), ['meanwhile', '1', '2', '0'])
        assert.ok(isGoneFrom(a))
      })

      it('gets it in order on that very node, to which it moves on', async () => {
        const there = acknowledging(c.dial('x'))
        await cluster.advance(200)
        assert.deepEqual([presentOf(there), textsOf(there)], [true, []])
        c.gate.release('a')
        await cluster.advance(1000)
        assert.deepEqual([textsOf(there), c.broker.stats.tailsLate], [['0', '1'], 0])
      })

      it('gets it in order though its own node restarts meanwhile', async () => {
        await cluster.kill(b)
        b = await cluster.restart(b)
        client = acknowledging(b.dial('x'))
        await cluster.advance(500)
        assert.deepEqual([presentOf(client), textsOf(client)], [true, []])
        c.gate.release('a')
        await cluster.advance(1000)
        assert.deepEqual([textsOf(client), b.broker.stats.tailsLate], [['0', '1'], 0])
      })
    })

    for (const way of ['its old owner', 'a fourth one']) {
      it(`gets it in order though its publisher’s node has been away and its publisher has gone on to ${way}`, async () => {
        const d = await cluster.boot('d', new Map())
        await cluster.advance(200)
        acknowledging(await subscriber(a, 2)).vanish()
        const publisher = c.dial('p')
        await cluster.advance(20)
        c.gate.hold('a')
        publisher.send(publishOf('0', false))
        await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
        assert.equal(publisher.of('pubrec').length, 1)
        await cluster.kill(c)
        const client = acknowledging(b.dial('x'))
        await cluster.advance(3000)
        c = await cluster.boot('c', c.disk)
        c.gate.hold('a')
        d.gate.delay('a', 20)
        const moved = (way === 'a fourth one' ? d : a).dial('p')
        while (presentOf(moved) === undefined) await cluster.advance(1)
        moved.send(publishOf('1', false, 2))
        await cluster.advance(500)
        c.gate.release('a')
        await cluster.advance(1000)
        assert.deepEqual([presentOf(moved), textsOf(client), isGoneFrom(a)], [true, ['0', '1'], true])
        assert.equal(b.broker.stats.tailsLate, 0)
      })
    }

    it('is said to get it late when it is back before its owner had it', async () => {
      const client = acknowledging(await subscriber(a, 2))
      client.vanish()
      c.gate.hold('a')
      c.publish('t/1', 'late', 2)
      await cluster.advance(100)
      acknowledging(b.dial('x'))
      await cluster.advance(500)
      const back = acknowledging(a.dial('x'))
      await cluster.advance(500)
      assert.deepEqual([presentOf(back), a.broker.stats.tailsLate], [true, 1])
    })

    it('gets no second copy when the outbox of another session on its new node is sent', async () => {
      const client = acknowledging(await subscriber(b, 2))
      const still = acknowledging(await subscriber(a, 2, 'still'))
      c.gate.hold('a')
      c.publish('t/1', 'once', 2)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
      assert.deepEqual([textsOf(client), textsOf(still)], [['once'], []])
      const again = acknowledging(a.dial('x'))
      await cluster.advance(5000)
      assert.ok(isGoneFrom(b))
      c.gate.release('a')
      await cluster.advance(2000)
      assert.deepEqual([textsOf(again), textsOf(still)], [[], ['once']])
    })

    it('gets what its old owner has for it though the two were cut from each other for longer than it outlives its client', async () => {
      const properties = { sessionExpiryInterval: 5 }
      const client = acknowledging(a.dial('x', { properties }))
      await cluster.advance(20)
      subscribe(client, 't/#', 1)
      await cluster.advance(100)
      c.gate.hold('a')
      c.publish('t/1', 'late')
      const again = acknowledging(b.dial('x', { properties }))
      await cluster.advance(500)
      assert.equal(presentOf(again), true)
      cluster.setLink(a, b, false)
      c.gate.release('a')
      await cluster.advance(10_000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [[], false])
      cluster.setLink(a, b, true)
      await cluster.advance(5000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['late'], true])
    })

    it('gets no second copy of what an earlier life of its old owner published and owed to the new one', async () => {
      const client = acknowledging(await subscriber(c, 2))
      const still = acknowledging(await subscriber(b, 2, 'still'))
      c.gate.hold('b')
      c.publish('t/1', 'once', 2)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 1000)
      assert.deepEqual([textsOf(client), textsOf(still)], [['once'], []])
      await cluster.kill(c)
      c = await cluster.boot('c', c.disk)
      c.gate.hold('b')
      await cluster.advance(200)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(1000)
      assert.equal(presentOf(again), true)
      c.gate.release('b')
      await cluster.advance(10_000)
      assert.deepEqual([textsOf(again), textsOf(still)], [[], ['once']])
    })

    it('gets no second copy by its first owner when the second had it, and its node was restarted', async () => {
      const client = await subscriber(a, 2)
      client.vanish()
      c.gate.hold('a')
      c.publish('t/1', 'late', 2)
      const there = acknowledging(b.dial('x'))
      await cluster.advance(3000)
      c.publish('t/1', 'once', 2)
      await cluster.advance(2 * ACCEPT_TIMEOUT_MS)
      assert.deepEqual(textsOf(there), ['once'])
      acknowledging(c.dial('x'))
      await cluster.advance(1000)
      assert.equal(cluster.recordOf('x')?.node, 'c')
      await cluster.kill(c)
      c = await cluster.restart(c)
      const again = acknowledging(c.dial('x'))
      await cluster.advance(10_000)
      assert.deepEqual([presentOf(again), textsOf(again), isGoneFrom(a)], [true, ['late'], true])
    })

    it('gets no second copy by its first owner when the second brought it, and its node was restarted', async () => {
      const client = await subscriber(a, 2)
      client.vanish()
      c.gate.hold('a')
      c.publish('t/1', 'late', 2)
      acknowledging(b.dial('x')).vanish()
      await cluster.advance(3000)
      c.publish('t/1', 'once', 2)
      await cluster.advance(2 * ACCEPT_TIMEOUT_MS)
      const there = acknowledging(c.dial('x'))
      await cluster.advance(3000)
      assert.deepEqual(textsOf(there), ['once'])
      await cluster.kill(c)
      c = await cluster.restart(c)
      const again = acknowledging(c.dial('x'))
      await cluster.advance(10_000)
      assert.deepEqual([presentOf(again), textsOf(again), isGoneFrom(a)], [true, ['late'], true])
    })

    it('gets no second copy either when it has been there, gone, and come back before', async () => {
      const client = acknowledging(await subscriber(b, 2))
      const still = acknowledging(await subscriber(a, 2, 'still'))
      c.gate.hold('a')
      c.publish('t/1', 'once', 2)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
      assert.deepEqual([textsOf(client), textsOf(still)], [['once'], []])
      let again = client
      for (const node of [a, b, a]) {
        again = acknowledging(node.dial('x'))
        await cluster.advance(1000)
        assert.equal(presentOf(again), true)
      }
      c.gate.release('a')
      await cluster.advance(5000)
      assert.deepEqual([textsOf(again), textsOf(still)], [[], ['once']])
    })

    for (const isRestarted of [false, true]) {
      it(`gets no second copy when a direct one comes after the tail was complete${isRestarted ? ' and the node restarted' : ''}`, async () => {
        const client = acknowledging(await subscriber(a, 2))
        let still = acknowledging(await subscriber(b, 2, 'still'))
        client.vanish()
        let again = acknowledging(b.dial('x'))
        c.gate.delay('b', 2000)
        await cluster.advance(10)
        c.publish('t/1', 'once', 2)
        await cluster.advance(500)
        assert.deepEqual([textsOf(again), textsOf(still), isGoneFrom(a)], [['once'], [], true])
        if (isRestarted) {
          await cluster.kill(b)
          b = await cluster.restart(b)
          again = acknowledging(b.dial('x'))
          still = acknowledging(b.dial('still'))
        }
        await cluster.advance(10_000)
        assert.deepEqual([textsOf(again), textsOf(still)], [isRestarted ? [] : ['once'], ['once']])
      })
    }

    it('gets what a node that was away has for its old owner when that node is back', async () => {
      await subscriberAway()
      c.gate.hold('a')
      assert.equal((await publishedLate(c, 'late')).isAccepted, true)
      await cluster.kill(c)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(60_000)
      assert.deepEqual([presentOf(again), isGoneFrom(a), b.broker.stats.tailsLate], [true, false, 0])
      b.publish('t/1', 'now', 2)
      await cluster.advance(100)
      assert.deepEqual(textsOf(again), ['now'])
      c = await cluster.restart(c)
      await cluster.advance(2000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['now', 'late'], true])
    })

    for (const atMs of [1, 2, 3, 4]) {
      it(`gets it in order though it comes back to a node that was waited for in vain, which has more for it ${atMs} ms later`, async () => {
        await subscriberAway()
        c.gate.hold('a') // so that a relays on
        const there = acknowledging(b.dial('x'))
        await cluster.advance(3000)
        a.publish('t/1', '0', 2)
        await cluster.advance(100)
        assert.deepEqual(textsOf(there), ['0'])
        there.vanish()
        a.publish('t/1', '1', 2)
        await cluster.advance(100)
        const back = acknowledging(a.dial('x'))
        await cluster.advance(atMs)
        a.publish('t/1', '2', 2)
        await cluster.advance(5000)
        assert.deepEqual(textsOf(back), ['1', '2'])
      })
    }

    it('gets nothing by its old owner that its client has unsubscribed from', async () => {
      await subscriberAway()
      c.gate.hold('a')
      const again = acknowledging(b.dial('x'))
      await cluster.advance(3000)
      again.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['t/#'] })
      await cluster.advance(1000)
      assert.equal(again.of('unsuback').length, 1)
      c.publish('t/1', 'unwanted', 2)
      await cluster.advance(1000)
      c.gate.release('a')
      await cluster.advance(3000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [[], true])
    })

    for (const isFurther of [false, true]) {
      it(`gets nothing by its old owner from before its client subscribed again${isFurther ? ', where it has moved on to either' : ''}`, async () => {
        await subscriberAway()
        c.gate.hold('a')
        let again = acknowledging(b.dial('x'))
        await cluster.advance(3000)
        again.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['t/#'] })
        await cluster.advance(1000)
        c.publish('t/1', 'unwanted', 2)
        await cluster.advance(1000)
        subscribe(again, 't/#', 2)
        await cluster.advance(100)
        c.publish('t/1', 'wanted', 2)
        await cluster.advance(100)
        const before = textsOf(again)
        if (isFurther) again = acknowledging(c.dial('x'))
        await cluster.advance(1000)
        c.gate.release('a')
        await cluster.advance(3000)
        assert.deepEqual([before, textsOf(again)], [['wanted'], isFurther ? [] : ['wanted']])
        assert.ok(isGoneFrom(a))
      })
    }

    it('gets it for a subscription it made while an earlier tail was open, after a restart of that owner, too', async () => {
      acknowledging(await subscriber(a, 2)).vanish()
      c.gate.hold('a')
      const there = acknowledging(b.dial('x'))
      await cluster.advance(3000)
      subscribe(there, 'u/#', 2)
      await cluster.advance(100)
      c.gate.release('a')
      await cluster.advance(3000)
      there.vanish()
      await cluster.kill(b)
      b = await cluster.restart(b)
      const again = acknowledging(c.dial('x'))
      while (presentOf(again) === undefined) await cluster.advance(1)
      a.publish('u/1', 'by the old route', 2)
      await cluster.advance(2000)
      assert.deepEqual([textsOf(again), isGoneFrom(b)], [['by the old route'], true])
    })

    it('leaves what was on its way to it, as a member of a shared subscription, to another member', async () => {
      const client = acknowledging(await subscriber(a, 2, 'x', '$share/g/t/#'))
      client.vanish()
      c.gate.hold('a')
      c.groups.set('g t/#', new Map([['a', 1]]))
      c.publish('t/1', 'shared', 2)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(1500)
      c.groups.set('g t/#', new Map([['b', 1]]))
      c.gate.release('a')
      await cluster.advance(3000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['shared'], true])
    })

    for (const isRestarted of [false, true])
      it(`gets, as the last member of a shared subscription there, what was kept for its old owner by a node that knew of no group${isRestarted ? ', after a restart of that owner, too' : ''}`, async () => {
        acknowledging(await subscriber(a, 2, 'x', '$share/g/t/#')).vanish()
        c.gate.hold('a')
        c.unknownNodes.push('a')
        c.publish('t/1', 'shared', 2)
        await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
        await cluster.kill(c)
        const there = acknowledging(b.dial('x'))
        await cluster.advance(1000)
        if (isRestarted) {
          await cluster.kill(a)
          a = await cluster.restart(a)
        }
        c = await cluster.restart(c)
        await cluster.advance(10_000)
        assert.deepEqual([textsOf(there), isGoneFrom(a)], [['shared'], true])
      })

    it('has no member of a shared subscription left at its old owner when that restarts, not knowing that it has everything', async () => {
      acknowledging(await subscriber(a, 2, 'x', '$share/g/t/#')).vanish()
      const there = acknowledging(b.dial('x'))
      const awaitsTail = (): boolean => b.broker.sessions.sessions.get('x')?.tails.length !== 0
      while (awaitsTail()) await cluster.advance(1)
      assert.ok(!isGoneFrom(a))
      await cluster.kill(a)
      a = await cluster.restart(a)
      assert.ok(!isGoneFrom(a))
      c.groups.set('g t/#', new Map([['a', 1]]))
      c.publish('t/1', 'shared', 2)
      c.groups.set('g t/#', new Map([['b', 1]]))
      await cluster.advance(10_000)
      assert.deepEqual([textsOf(there), isGoneFrom(a)], [['shared'], true])
    })

    for (const way of ['there', 'at a third node, to which it moves on']) {
      it(`gets, as a member of a shared subscription, ${way}, what others on its node had at QoS 2 before that restarted`, async () => {
        acknowledging(await subscriber(a, 2, 'x', '$share/g/t/#')).vanish()
        acknowledging(await subscriber(b, 2, 'still'))
        acknowledging(b.dial('x'))
        await cluster.advance(20)
        assert.equal(cluster.recordOf('x')?.node, 'b')
        cluster.setLink(a, b, false)
        c.groups.set('g t/#', new Map([['a', 1]]))
        c.publish('t/1', 'shared', 2)
        await cluster.advance(100)
        c.groups.clear()
        await cluster.kill(b)
        b = await cluster.restart(b)
        const again = acknowledging((way === 'there' ? b : c).dial('x'))
        await cluster.advance(1000)
        assert.deepEqual([presentOf(again), textsOf(again)], [true, []])
        cluster.setLink(a, b, true)
        await cluster.advance(10_000)
        assert.deepEqual([textsOf(again), isGoneFrom(a)], [['shared'], true])
      })
    }

    it('is let go by its old owner when a node that is away is forgotten', async () => {
      await subscriberAway()
      await cluster.kill(c)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(60_000)
      assert.deepEqual([presentOf(again), isGoneFrom(a)], [true, false])
      a.forwarder.peers.forget('c')
      await cluster.advance(2000)
      assert.ok(isGoneFrom(a))
    })

    it('gets it when its old owner is restarted while it waits', async () => {
      await subscriberAway()
      c.gate.hold('a')
      await publishedLate(c, 'late')
      const again = acknowledging(b.dial('x'))
      await cluster.advance(10_000)
      await cluster.kill(a)
      a = await cluster.restart(a)
      await cluster.advance(10_000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [[], false])
      c.gate.release('a')
      a.transport.disconnect('c') // what was sent into the held link is gone
      await cluster.advance(10_000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['late'], true])
    })

    it('gets once what its old owner was sent again after a restart, and its new node has got directly', async () => {
      await subscriberAway(1)
      a.gate.hold('c') // what a asks, and that it has something
      b.dial('x').vanish()
      await cluster.advance(500)
      cluster.setLink(a, b, false)
      c.publish('t/1', '0')
      c.publish('t/1', '1')
      await cluster.advance(100)
      await cluster.kill(a)
      a = await cluster.restart(a)
      cluster.setLink(a, b, true)
      await cluster.advance(5000)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(100)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['0', '1'], true])
    })

    it('gets it in order though its new node is restarted while it waits', async () => {
      await subscriberAway()
      c.gate.hold('a')
      await publishedLate(c, '0')
      b.dial('x').vanish()
      await cluster.advance(500)
      c.publish('t/1', '1', 2)
      await cluster.advance(100)
      await cluster.kill(b)
      b = await cluster.restart(b)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(500)
      assert.deepEqual([presentOf(again), textsOf(again)], [true, []])
      c.gate.release('a')
      await cluster.advance(1000)
      assert.deepEqual([textsOf(again), b.broker.stats.tailsLate], [['0', '1'], 0])
    })

    it('gets it under the same packet identifier when its new node is restarted as soon as it has ceased to wait', async () => {
      await subscriberAway()
      c.gate.hold('a')
      const client = b.dial('x')
      await cluster.advance(500)
      c.publish('t/1', 'once', 2)
      let killed: Promise<void> | undefined
      client.onReceived = ({ cmd }) => {
        if (cmd === 'publish') killed = cluster.kill(b)
      }
      while (killed === undefined) await cluster.advance(1)
      await killed
      b = await cluster.restart(b)
      c.gate.release('a')
      await cluster.advance(2000)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(1000)
      const [first, second] = [client, again].map(on => on.of('publish').map(({ messageId }) => messageId))
      assert.deepEqual([textsOf(again), second], [['once'], first])
    })

    it('gets it in order though the node it moves on to is restarted at any moment', async () => {
      for (let afterMs = 1; afterMs <= 12; afterMs++) {
        cluster = new MoveCluster()
        ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
        const d = await cluster.boot('d', new Map())
        await subscriberAway()
        d.gate.hold('a')
        await publishedLate(d, '0')
        b.dial('x').vanish()
        await cluster.advance(500)
        d.publish('t/1', '1', 2)
        await cluster.advance(100)
        c.dial('x').vanish()
        await cluster.advance(afterMs)
        await cluster.kill(c)
        c = await cluster.restart(c)
        const again = acknowledging(c.dial('x'))
        await cluster.advance(500)
        d.gate.release('a')
        await cluster.advance(5000)
        assert.deepEqual([afterMs, presentOf(again), textsOf(again)], [afterMs, true, ['0', '1']])
      }
    })

    it('gets it, once, when it has come back to its old owner meanwhile', async () => {
      await subscriberAway()
      c.gate.hold('a')
      await publishedLate(c, 'late')
      const there = acknowledging(b.dial('x'))
      await cluster.advance(5000)
      c.publish('t/1', 'both', 2) // to a as well, which still relays
      await cluster.advance(5000)
      const back = acknowledging(a.dial('x'))
      await cluster.advance(5000)
      assert.deepEqual([textsOf(there), textsOf(back)], [['both'], []])
      c.gate.release('a')
      await cluster.advance(5000)
      assert.deepEqual(textsOf(back), ['late'])
      assert.ok(isGoneFrom(b))
    })

    it('gets, once, what is published on the old owner it comes back to while the one in between lets it go', async () => {
      await subscriberAway()
      await subscriber(c, 1, 'still')
      c.gate.hold('a') // so that a relays on
      acknowledging(b.dial('x'))
      await cluster.advance(1000)
      b.gate.hold('c')
      b.publish('t/1', 'late to c', 2)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
      const back = acknowledging(a.dial('x')) // b waits for its outbox first
      await cluster.advance(500)
      a.publish('t/1', 'meanwhile', 2)
      await cluster.advance(5000)
      assert.deepEqual([presentOf(back), textsOf(back)], [true, ['meanwhile']])
    })

    for (const from of ['its own node', 'a third node']) {
      it(`gets no second copy by the tail of what came directly from ${from} before its node restarted`, async () => {
        await subscriberAway()
        c.gate.hold('a') // so that a relays on
        await publishedLate(c, 'late')
        const there = acknowledging(b.dial('x'))
        await cluster.advance(5000)
        b.gate.hold('a')
        await publishedLate(from === 'its own node' ? b : c, 'once')
        assert.deepEqual(textsOf(there), ['once'])
        await cluster.kill(b)
        b = await cluster.restart(b)
        const again = acknowledging(b.dial('x'))
        await cluster.advance(1000)
        c.gate.release('a')
        await cluster.advance(10_000)
        assert.deepEqual([textsOf(again), isGoneFrom(a)], [['late'], true])
      })
    }

    for (const way of ['to the node that had it', 'through the node that had it', 'to the node that died']) {
      it(`gets, once, what a publisher repeats after its node died, having moved ${way} meanwhile`, async () => {
        acknowledging(await subscriber(b, 2, 'still'))
        const client = acknowledging(await subscriber(c, 2))
        client.vanish()
        a.gate.hold('c')
        const publisher = a.dial('p')
        await cluster.advance(20)
        publisher.send(publishOf('once', false))
        await cluster.advance(100)
        await cluster.kill(a)
        a = await cluster.restart(a)
        const isAtDead = way === 'to the node that died'
        let again = acknowledging((isAtDead ? a : b).dial('x'))
        await cluster.advance(5000)
        assert.deepEqual([presentOf(again), isGoneFrom(c)], [true, true])
        if (way === 'through the node that had it') {
          again = acknowledging(c.dial('x'))
          await cluster.advance(5000)
        }
        const repeating = (isAtDead ? a : b).dial('p')
        await cluster.advance(100)
        for (let attempt = 0; attempt < 2; attempt++) {
          repeating.send(publishOf('once', true))
          await cluster.advance(1000)
        }
        assert.equal(repeating.of('pubrec').length, 2)
        assert.deepEqual(textsOf(again), ['once'])
      })
    }

    for (const isBackFirst of [false, true]) {
      it(`gets, once, what a publisher repeats after its node died, and its new node has from that node’s next life${isBackFirst ? ', having been there before' : ''}`, async () => {
        acknowledging(await subscriber(b, 2, 'still'))
        const client = acknowledging(await subscriber(c, 2))
        client.vanish()
        a.gate.hold('b')
        const publisher = a.dial('p')
        a.publish('t/1', 'first', 2)
        await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
        a.gate.hold('c')
        publisher.send(publishOf('once', false)) // b’s copy goes to its outbox, c’s stays in memory
        await cluster.advance(100)
        await cluster.kill(a)
        a = await cluster.restart(a)
        let again = acknowledging(b.dial('x'))
        await cluster.advance(5000)
        assert.deepEqual([presentOf(again), textsOf(again)], [true, ['first']])
        const repeating = b.dial('p')
        await cluster.advance(100)
        repeating.send(publishOf('once', true))
        await cluster.advance(1000)
        assert.deepEqual(textsOf(again), ['first', 'once'])
        if (!isBackFirst) return
        again = acknowledging(c.dial('x'))
        await cluster.advance(1000)
        repeating.send(publishOf('once', true))
        await cluster.advance(1000)
        assert.deepEqual([presentOf(again), textsOf(again)], [true, []])
      })
    }

    it('gets what comes by a new subscription, though its old owner has received what was published later', async () => {
      const client = acknowledging(await subscriber(a, 2))
      client.vanish()
      c.gate.delay('a', 500) // its answer that nothing is left
      const again = acknowledging(b.dial('x'))
      await cluster.advance(50)
      subscribe(again, 'u/#', 2)
      await cluster.advance(100)
      c.gate.delay('a', 0)
      c.gate.delay('b', 3000)
      c.publish('u/1', 'new', 2)
      c.publish('t/1', 'later', 2)
      await cluster.advance(2000)
      assert.deepEqual([textsOf(again), isGoneFrom(a)], [['later'], true])
      await cluster.advance(5000)
      assert.deepEqual(textsOf(again), ['later', 'new'])
    })

    const publishOf = (payload: string, dup: boolean, messageId = 9): Packet => {
      return { cmd: 'publish', topic: 't/1', payload, qos: 2, messageId, dup, retain: false }
    }

    async function subscriberAway(qos: QoS = 2): Promise<void> {
      const client = acknowledging(await subscriber(a, qos))
      client.vanish()
    }

    async function publishedLate(node: MoveNode, text: string): Promise<{ isAccepted: boolean }> {
      const outcome = node.publish('t/1', text, 2)
      await cluster.advance(ACCEPT_TIMEOUT_MS + 100)
      return outcome
    }
  })

  it('is discarded where the client wants a clean start', async () => {
    const client = await subscriber(a)
    client.vanish()
    b.publish('t/1', 'lost')
    await cluster.advance(50)
    const again = acknowledging(b.dial('x', { clean: true }))
    await cluster.advance(3000)
    assert.equal(presentOf(again), false)
    b.publish('t/1', 'not subscribed')
    await cluster.advance(100)
    assert.deepEqual(textsOf(again), [])
    assert.deepEqual(await rowsOf(a), [])
  })

  it('of which nothing outlives the connection moves as a new one', async () => {
    const client = a.dial('x', { properties: { sessionExpiryInterval: 0 } })
    await cluster.advance(50)
    const again = b.dial('x')
    await cluster.advance(100)
    assert.ok(client.isClosed)
    assert.equal(presentOf(again), false)
  })

  for (const cleanStart of [false, true]) {
    it(`is not given to a node that saw its old owner in the record${cleanStart ? ', to be discarded' : ''}, while its tail follows`, async () => {
      await subscriber(a)
      const token = cluster.tokenOf('x')
      const again = acknowledging(b.dial('x'))
      await cluster.advance(20)
      assert.equal(presentOf(again), true)
      c.publish('t/1', 'tail') // by the old routes
      const late = c.transfer.ask(a, { clientId: 'x', cleanStart }, token, 1000)
      assert.equal(await cluster.settled(late), 'retry')
      await cluster.advance(3000)
      assert.deepEqual(textsOf(again), ['tail'])
    })

    it(`is not given to a node that saw an earlier time of its owner${cleanStart ? ', to be discarded' : ''}`, async () => {
      await subscriber(a)
      const token = cluster.tokenOf('x')
      b.dial('x')
      await cluster.advance(3000)
      a.dial('x').vanish()
      await cluster.advance(3000)
      a.publish('t/1', 'kept')
      const again = acknowledging(b.dial('x'))
      await cluster.advance(4) // it is just leaving
      const late = c.transfer.ask(a, { clientId: 'x', cleanStart }, token, 1000)
      assert.equal(await cluster.settled(late), 'retry')
      await cluster.advance(3000)
      assert.equal(presentOf(again), true)
      assert.deepEqual(textsOf(again), ['kept'])
    })
  }

  it('leaves one owner when three nodes race, with everything there', async () => {
    const client = await subscriber(a)
    client.vanish()
    for (const text of range(50)) b.publish('t/1', text)
    await cluster.advance(50)
    const clients = [b.dial('x'), c.dial('x'), a.dial('x')].map(one => acknowledging(one))
    await cluster.advance(10_000)
    const open = clients.filter(({ isClosed }) => !isClosed)
    assert.equal(open.length, 1)
    assert.equal(presentOf(open[0] as MemoryClient), true)
    const texts = new Set(clients.flatMap(textsOf))
    assert.equal(texts.size, 50)
    const holders = [a, b, c].filter(node => !isGoneFrom(node))
    assert.deepEqual(
      holders.map(({ nodeId }) => nodeId),
      [cluster.recordOf('x')?.node],
    )
  })

  /** Connects again, wherever `choose` says, until it is let in. */
  async function persist(choose: () => MoveNode): Promise<MemoryClient> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const client = acknowledging(choose().dial('x'))
      await cluster.advance(5000)
      if (!client.isClosed && presentOf(client) !== undefined) return client
    }
    return assert.fail('never let in')
  }

  /** Moves from a to b under load, with something happening `atMs` after CONNECT; then connects again to `finally`. */
  async function disturbed(
    atMs: number,
    disturb: () => Promise<void>,
    then: () => MoveNode,
  ): Promise<{ texts: string[]; sent: number; accepted: number; last: MemoryClient }> {
    const first = acknowledging(await subscriber(a, 2))
    await cluster.advance(10)
    first.vanish()
    const outcomes: { isAccepted: boolean }[] = []
    const send = (): void => void outcomes.push(c.publish('t/1', `${outcomes.length}`, 2))
    for (let count = 0; count < 20; count++) send()
    const flow = cluster.clock.repeat(4, send)
    await cluster.advance(40)
    const second = acknowledging(b.dial('x'))
    await cluster.advance(atMs)
    await disturb()
    await cluster.advance(400)
    flow.cancel()
    await cluster.advance(3000)
    second.vanish()
    const last = await persist(then)
    await cluster.advance(5000)
    const texts = [first, second, last].flatMap(textsOf)
    const accepted = outcomes.filter(({ isAccepted }) => isAccepted).length
    return { texts, sent: outcomes.length, accepted, last }
  }

  const MOMENTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, 30, 40, 60, 90, 120, 500, 1200, 1300]

  for (const who of ['claimant', 'owner', 'both'] as const) {
    for (const then of ['claimant', 'owner', 'third'] as const) {
      it(`loses nothing when the ${who} is killed at any moment and comes back, and the client goes to the ${then}`, async () => {
        for (const atMs of MOMENTS) {
          cluster = new MoveCluster()
          ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
          const outcome = await disturbed(
            atMs,
            async () => {
              if (who !== 'claimant') await cluster.kill(a)
              if (who !== 'owner') await cluster.kill(b)
              await cluster.advance(50)
              if (who !== 'claimant') a = await cluster.restart(a)
              if (who !== 'owner') b = await cluster.restart(b)
            },
            () => ({ claimant: b, owner: a, third: c })[then],
          )
          const { texts, sent, accepted, last } = outcome
          assert.equal(accepted, sent, `at ${atMs} ms: not all accepted`)
          const missing = range(sent).filter(text => !texts.includes(text))
          assert.deepEqual(missing, [], `at ${atMs} ms`)
          assert.equal(presentOf(last), true, `at ${atMs} ms`)
          const holders = [a, b, c].filter(node => !isGoneFrom(node)).map(({ nodeId }) => nodeId)
          assert.deepEqual(holders, [cluster.recordOf('x')?.node], `at ${atMs} ms`)
        }
      })
    }
  }

  async function queuedOffline(count: number): Promise<void> {
    const client = await subscriber(a)
    client.vanish()
    for (const text of range(count)) b.publish('t/1', text)
    await cluster.advance(50)
  }

  it('comes from a node that has it only on disk, after a restart', async () => {
    await queuedOffline(30)
    await cluster.kill(a)
    a = await cluster.restart(a)
    const again = acknowledging(b.dial('x'))
    await cluster.advance(3000)
    assert.equal(presentOf(again), true)
    assert.deepEqual(textsOf(again), range(30))
    assert.ok(isGoneFrom(a))
  })

  it('is its old owner’s again when the claimant dies before its swap, and goes to the next', async () => {
    await queuedOffline(30)
    const expected = range(30)
    for (let atMs = 1; atMs < 20 && cluster.recordOf('x')?.node === 'a'; atMs++) {
      b.dial('x')
      await cluster.advance(atMs)
      await cluster.kill(b)
      b = await cluster.restart(b)
      b.publish('t/1', `at ${atMs}`)
      expected.push(`at ${atMs}`)
      await cluster.advance(10)
    }
    assert.ok(expected.length > 33) // it was killed before the swap a few times
    const again = acknowledging(c.dial('x'))
    await cluster.advance(10_000)
    assert.equal(presentOf(again), true)
    assert.deepEqual(textsOf(again), expected)
    assert.deepEqual(await rowsOf(b), [])
  })

  it('stays with one owner, whole, when its client returns to the old owner while it moves', async () => {
    for (let afterMs = 0; afterMs < 30; afterMs++) {
      cluster = new MoveCluster()
      ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
      await queuedOffline(20)
      const there = acknowledging(b.dial('x'))
      await cluster.advance(afterMs)
      const back = acknowledging(a.dial('x'))
      await cluster.advance(2)
      c.publish('t/1', '20')
      await cluster.advance(8000)
      const open = [there, back].filter(({ isClosed }) => !isClosed)
      assert.equal(open.length, 1, `after ${afterMs} ms`)
      assert.equal(presentOf(open[0] as MemoryClient), true, `after ${afterMs} ms`)
      const texts = new Set([there, back].flatMap(textsOf))
      assert.equal(texts.size, 21, `after ${afterMs} ms`)
      const holders = [a, b].filter(node => !isGoneFrom(node)).map(({ nodeId }) => nodeId)
      assert.deepEqual(holders, [cluster.recordOf('x')?.node], `after ${afterMs} ms`)
      const openNode = open[0] === there ? 'b' : 'a'
      assert.equal(cluster.recordOf('x')?.node, openNode, `after ${afterMs} ms`)
    }
  })

  it('comes into force with the tail when the answer to the claimant’s swap was lost', async () => {
    let lostAnswers = 0
    for (let atMs = 1; atMs < 12; atMs++) {
      cluster = new MoveCluster()
      ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
      await queuedOffline(20)
      const there = b.dial('x')
      await cluster.advance(atMs)
      b.store.setContact('deaf') // what it writes arrives, no answer comes back
      c.publish('t/1', '20')
      await cluster.advance(20_000)
      if (there.of('connack')[0]?.reasonCode === 0x88 && cluster.recordOf('x')?.node === 'b') lostAnswers++
      b.store.setContact('open')
      await cluster.advance(10_000)
      const again = acknowledging(c.dial('x'))
      await cluster.advance(3000)
      assert.equal(presentOf(again), true, `at ${atMs} ms`)
      const texts = new Set([...textsOf(there), ...textsOf(again)])
      assert.deepEqual([...texts], range(21), `at ${atMs} ms`)
      assert.ok(isGoneFrom(a) && isGoneFrom(b), `at ${atMs} ms`)
    }
    assert.ok(lostAnswers > 0)
  })

  it('fires no delayed will of the old connection, and the will of the new one', async () => {
    const watcher = acknowledging(c.dial('watcher'))
    await cluster.advance(20)
    watcher.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'will/#', qos: 1, nl: false, rap: false, rh: 0 }],
    })
    await cluster.advance(100)
    const will = (topic: string) => ({
      topic,
      payload: Buffer.from('gone'),
      qos: 1 as const,
      retain: false,
      properties: { willDelayInterval: 5 },
    })
    const first = a.dial('x', { will: will('will/old') })
    await cluster.advance(50)
    first.vanish()
    await cluster.advance(2000)
    const second = b.dial('x', { will: will('will/new') })
    await cluster.advance(20_000)
    assert.equal(presentOf(second), true)
    assert.deepEqual(watcher.of('publish'), [])
    second.vanish()
    await cluster.advance(20_000)
    assert.deepEqual(
      watcher.of('publish').map(({ topic }) => topic),
      ['will/new'],
    )
  })

  it('is not given away without its state by a node that does not know yet that it claimed it again', async () => {
    a.dial('x')
    await cluster.advance(50)
    const { moves, sessions } = a.broker.sessions
    const token = sessions.get('x')?.token ?? { epoch: 0, revision: 0 }
    const freeze = (under: typeof token): string => moves.freeze('x', under, 'b', () => undefined)
    assert.equal(freeze(token), 'frozen')
    const claimedAgain = { ...token, revision: token.revision + 1 }
    assert.equal(freeze(claimedAgain), 'busy')
    moves.thaw('x')
    assert.equal(freeze(claimedAgain), 'frozen')
  })

  it('fires no will that is due while its session is leaving, unless the session stays', async () => {
    const watch = acknowledging(b.dial('watch'))
    subscribe(watch, 'will/#', 1)
    await cluster.advance(100)
    const properties = { willDelayInterval: 5 }
    const will = { topic: 'will/x', payload: Buffer.from('gone'), qos: 1 as const, retain: false, properties }
    const client = a.dial('x', { will })
    await cluster.advance(50)
    client.vanish()
    await cluster.advance(4000)
    const { moves, sessions } = a.broker.sessions
    const token = sessions.get('x')?.token ?? { epoch: 0, revision: 0 }
    assert.equal(
      moves.freeze('x', token, 'b', () => undefined),
      'frozen',
    )
    await cluster.advance(3000)
    assert.deepEqual(watch.of('publish'), [])
    moves.thaw('x')
    await cluster.advance(100)
    assert.equal(watch.of('publish').length, 1)
  })

  it('ends the connection of a client whose will was published while its node was taken for dead, and publishes it no more', async () => {
    const watch = acknowledging(b.dial('watch'))
    subscribe(watch, 'will/#', 1)
    await cluster.advance(100)
    const will = { topic: 'will/x', payload: Buffer.from('gone'), qos: 1 as const, retain: false }
    const client = a.dial('x', { will })
    await cluster.advance(100)
    a.broker.sessions.moves.willPublished('watch') // it has none
    a.broker.sessions.moves.willPublished('x')
    await cluster.advance(5000)
    assert.deepEqual(
      [client.of('disconnect').map(({ reasonCode }) => reasonCode), client.isClosed],
      [[0x89], true],
    )
    const again = a.dial('x')
    await cluster.advance(5000)
    assert.deepEqual([presentOf(again), textsOf(watch)], [true, []])
  })

  describe('and has had a will', () => {
    const id = { incarnation: 3, number: RESERVED_FROM + 1 }
    /** As the owner of the will, or who acts for it. */
    const fire = (node: MoveNode): void => void node.publish('t/will', 'gone', 2, { id })

    it('does not get it again where it is when it is published once more', async () => {
      const client = acknowledging(await subscriber(a, 2))
      fire(c)
      await cluster.advance(100)
      assert.deepEqual(textsOf(client), ['gone'])
      client.vanish()
      const there = acknowledging(b.dial('x'))
      await cluster.advance(5 * 60_000)
      fire(c)
      await cluster.advance(100)
      const third = acknowledging(c.dial('x'))
      await cluster.advance(5 * 60_000)
      fire(a)
      await cluster.advance(100)
      assert.deepEqual([presentOf(third), textsOf(there), textsOf(third)], [true, [], []])
    })

    it('does not get it again though the node on which it had it has been restarted', async () => {
      const client = acknowledging(await subscriber(a, 2))
      fire(a)
      await cluster.advance(100)
      assert.deepEqual(textsOf(client), ['gone'])
      await cluster.kill(a)
      a = await cluster.restart(a)
      fire(c)
      await cluster.advance(100)
      const again = acknowledging(a.dial('x'))
      await cluster.advance(100)
      const there = acknowledging(b.dial('x'))
      await cluster.advance(5000)
      fire(c)
      await cluster.advance(1000)
      assert.deepEqual([presentOf(there), textsOf(again), textsOf(there)], [true, [], []])
    })

    it('does not get it again by an old owner that gets it late', async () => {
      acknowledging(await subscriber(a, 2)).vanish()
      c.gate.hold('a')
      c.publish('t/1', 'held', 2) // so that the old owner stays
      const there = acknowledging(b.dial('x'))
      await cluster.advance(3000)
      fire(b)
      await cluster.advance(100)
      assert.deepEqual(textsOf(there), ['gone'])
      await cluster.kill(b)
      fire(c) // in place of the node that died
      b = await cluster.restart(b)
      const again = acknowledging(b.dial('x'))
      await cluster.advance(500)
      c.gate.release('a')
      await cluster.advance(20_000)
      assert.deepEqual([presentOf(again), textsOf(again), isGoneFrom(a)], [true, ['held'], true])
    })
  })

  it('does not live longer for having moved', async () => {
    const client = a.dial('x', { properties: { sessionExpiryInterval: 30 } })
    await cluster.advance(50)
    client.vanish()
    await cluster.advance(20_000)
    assert.equal(await cluster.settled(offer(a, 'b')), true)
    assert.ok(!isGoneFrom(b))
    await cluster.advance(12_000)
    assert.ok(isGoneFrom(b))
    assert.ok(isGoneFrom(a))
  })

  it('goes with everything to the node it is offered, without its client', async () => {
    await queuedOffline(100)
    assert.equal(await cluster.settled(offer(a, 'b')), true)
    await cluster.advance(3000)
    assert.ok(isGoneFrom(a))
    assert.equal(cluster.recordOf('x')?.node, 'b')
    c.publish('t/1', '100')
    await cluster.advance(50)
    const again = acknowledging(b.dial('x'))
    await cluster.advance(200)
    assert.equal(presentOf(again), true)
    assert.deepEqual(textsOf(again), range(101))
  })

  it('is refused in words while its owner cannot be reached, and stays whole', async () => {
    await queuedOffline(10)
    await a.transport.close()
    const there = b.dial('x')
    await cluster.advance(10_000)
    const [connack] = there.of('connack')
    assert.deepEqual(
      [connack?.reasonCode, connack?.properties?.reasonString],
      [0x88, 'the node that has the session cannot be reached'],
    )
    assert.equal(cluster.recordOf('x')?.node, 'a')
  })

  it('loses nothing, and repeats nothing at QoS 2, when the link breaks at any moment', async () => {
    for (const atMs of MOMENTS) {
      cluster = new MoveCluster()
      ;[a, b, c] = (await cluster.start(['a', 'b', 'c'])) as [MoveNode, MoveNode, MoveNode]
      const cut = (): Promise<void> => Promise.resolve(a.transport.disconnect('b'))
      const { texts, sent, last } = await disturbed(atMs, cut, () => c)
      assert.deepEqual([...texts].sort(byNumber), range(sent), `at ${atMs} ms`)
      assert.equal(presentOf(last), true)
    }
  })
})

function offer(node: MoveNode, to: string): Promise<boolean> {
  return node.transfer.offer('x', to, node.broker.sessions.moves.expiryOf('x') ?? assert.fail('not here'))
}

function byNumber(one: string, other: string): number {
  return Number(one) - Number(other)
}
