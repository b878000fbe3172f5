import assert from 'node:assert/strict'
import { until } from '../contract/harness.ts'
import type { MemoryClient } from './support/memory-stream.ts'
import { MoveCluster, textsOf, type MoveNode } from '../support/move-cluster.ts'

/** The states of PROTOCOLS 4.1: a and b are cut from each other and both reach the store; c, where it is, reaches both. */
describe('A session whose owner is cut off from the node its client comes to', function () {
  this.timeout(30_000)
  let cluster: MoveCluster
  let a: MoveNode
  let b: MoveNode
  let c: MoveNode

  async function start(...nodeIds: string[]): Promise<void> {
    cluster = new MoveCluster()
    ;[a, b, c] = (await cluster.start(nodeIds)) as [MoveNode, MoveNode, MoveNode]
  }

  beforeEach(() => start('a', 'b', 'c'))

  async function cut(one = a, other = b): Promise<void> {
    cluster.setLink(one, other, false)
    await cluster.advance(2000)
    assert.equal(one.transport.isUp(other.nodeId), false)
  }

  /** At `a`, subscribed to `t/#`, known everywhere. */
  async function subscriber(clientId = 'x'): Promise<MemoryClient> {
    const client = a.dial(clientId)
    await cluster.advance(20)
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't/#', qos: 1 }] })
    await cluster.advance(100)
    return client
  }

  const codeOf = (client: MemoryClient): number | undefined => client.of('connack')[0]?.reasonCode
  const isAnswered = (client: MemoryClient) => (): boolean => client.of('connack').length > 0
  const questions = (): string[] =>
    cluster.service.state.range('/grapevine/test/handoff/').map(({ key }) => key)

  async function answered(client: MemoryClient, withinMs = 10_000): Promise<number | undefined> {
    await until(cluster, 'CONNACK', isAnswered(client), withinMs)
    return codeOf(client)
  }

  it('ends at its owner when its client wants a clean start elsewhere, and leaves no question behind', async () => {
    const old = await subscriber()
    await cut()
    const before = cluster.tokenOf('x')
    assert.equal(await answered(b.dial('x', { clean: true })), 0)
    assert.equal(old.of('disconnect')[0]?.reasonCode, 0x8e)
    const record = cluster.recordOf('x')
    assert.deepEqual([record?.node, record?.how, record?.from], ['b', 'clean', 'a'])
    assert.ok((record?.token.revision ?? 0) > before.revision)
    await cluster.advance(1000)
    assert.equal(a.broker.sessions.sessions.has('x'), false)
    assert.deepEqual(questions(), [])
    assert.deepEqual([b.handoff.stats.asked, b.handoff.stats.consent], [1, 1])
  })

  it('is left at once when it ends with its connection, whether or not a clean start is asked for', async () => {
    await cut()
    assert.equal(await answered(a.dial('y', { properties: { sessionExpiryInterval: 0 } })), 0)
    assert.equal(await answered(b.dial('y')), 0)
    assert.equal(cluster.recordOf('y')?.node, 'b')
  })

  it('comes whole over a third node: subscriptions, queue, Session Present 1', async () => {
    const old = await subscriber()
    old.vanish()
    await cluster.advance(20)
    for (let i = 0; i < 50; i++) c.publish('t/1', `m${i}`)
    await cluster.advance(200)
    await cut()
    const client = cluster.acknowledging(b.dial('x'))
    assert.equal(await answered(client), 0)
    assert.equal(client.of('connack')[0]?.sessionPresent, true)
    await cluster.advance(3000)
    assert.deepEqual(
      textsOf(client),
      Array.from({ length: 50 }, (_, i) => `m${i}`),
    )
    const record = cluster.recordOf('x')
    assert.deepEqual([record?.node, record?.how, record?.from], ['b', 'moved', 'c'])
    c.publish('t/1', 'live')
    await cluster.advance(1000)
    assert.equal(textsOf(client).at(-1), 'live')
    assert.deepEqual(questions(), [])
  })

  it('gets what is published at its old owner during the cut once it has healed, without loss or repeat', async () => {
    await subscriber()
    await cut()
    const client = cluster.acknowledging(b.dial('x'))
    assert.equal(await answered(client), 0)
    for (let i = 0; i < 20; i++) a.publish('t/1', `a${i}`)
    await cluster.advance(8000)
    cluster.setLink(a, b, true)
    await cluster.advance(10_000)
    assert.deepEqual(textsOf(client).sort(), Array.from({ length: 20 }, (_, i) => `a${i}`).sort())
    for (const node of [a, c]) assert.equal(node.broker.sessions.sessions.has('x'), false)
  })

  it('is waited for while the link may just be coming back', async () => {
    await subscriber()
    cluster.setLink(a, b, false)
    await cluster.advance(10)
    const client = b.dial('x')
    await cluster.advance(1500)
    cluster.setLink(a, b, true)
    assert.equal(await answered(client), 0)
    assert.equal(cluster.recordOf('x')?.from, 'a')
    assert.equal(b.handoff.stats.asked, 0)
  })

  it('is refused with 0x88 while there is no third node, and kept by its owner', async () => {
    await start('a', 'b')
    const old = await subscriber()
    await cut()
    assert.equal(await answered(b.dial('x')), 0x88)
    assert.deepEqual(old.of('disconnect'), [])
    assert.equal(cluster.recordOf('x')?.node, 'a')
    assert.ok(b.handoff.stats.refused > 0 && b.handoff.stats.asked < 10)
    await cluster.advance(1000)
    assert.deepEqual(questions(), [])
    cluster.setLink(a, b, true)
    await cluster.advance(200)
    const client = b.dial('x')
    assert.equal(await answered(client), 0)
    assert.equal(client.of('connack')[0]?.sessionPresent, true)
  })

  it('is refused when the third node reaches its owner alone', async () => {
    await subscriber()
    await cut()
    await cut(c, b)
    assert.equal(await answered(b.dial('x')), 0x88)
    assert.equal(cluster.recordOf('x')?.node, 'a')
  })

  it('is not taken from an owner that does not answer', async () => {
    await subscriber()
    await cut()
    a.store.setContact('cut')
    assert.equal(await answered(b.dial('x', { clean: true })), 0x88)
    assert.equal(b.handoff.stats.unanswered, 1)
    assert.equal(cluster.recordOf('x')?.node, 'a')
  })

  it('is asked for anew when its client was back at the owner before the swap, which fails', async () => {
    await subscriber()
    await cut()
    const elsewhere = b.dial('x', { clean: true })
    while (a.broker.sessions.sessions.has('x')) await cluster.advance(1)
    b.store.setContact('cut')
    const back = a.dial('x')
    assert.equal(await answered(back), 0)
    b.store.setContact('open')
    await until(cluster, 'an answer', isAnswered(elsewhere), 20_000)
    await cluster.advance(5000)
    // The first swap failed, so the claimant had to ask again.
    assert.ok(b.handoff.stats.consent > 1)
    const open = [back, elsewhere].filter(client => codeOf(client) === 0 && !client.isClosed)
    assert.equal(open.length, 1)
    assert.equal(cluster.recordOf('x')?.node, open[0] === back ? 'a' : 'b')
  })

  it('is not given away without its state by an owner that has it staged, and has not heard that it is the owner', async () => {
    ;(await subscriber()).vanish()
    const elsewhere = b.dial('x')
    await cluster.advance(4)
    b.store.setContact('deaf') // what it writes arrives, no answer comes back
    while (cluster.recordOf('x')?.node !== 'b') await cluster.advance(1)
    cluster.setLink(a, b, false)
    await cluster.advance(20_000)
    b.store.setContact('open')
    assert.deepEqual([codeOf(elsewhere), b.transfer.isStaged('x')], [0x88, true])
    assert.equal(await answered(a.dial('x'), 30_000), 0x88)
    cluster.setLink(a, b, true)
    await cluster.advance(5000)
    const back = a.dial('x')
    assert.equal(await answered(back), 0)
    assert.equal(back.of('connack')[0]?.sessionPresent, true)
  })

  for (const victim of ['owner', 'claimant', 'third'] as const) {
    it(`has at most one owner at every moment, and is kept, whenever the ${victim} dies on the way`, async function () {
      this.timeout(120_000)
      for (let afterMs = 0; afterMs <= 60; afterMs += 3) {
        await start('a', 'b', 'c')
        const old = await subscriber()
        old.vanish()
        await cluster.advance(20)
        c.publish('t/1', 'kept')
        await cluster.advance(100)
        await cut()
        let last = cluster.tokenOf('x').revision
        const check = (): void => {
          const { revision } = cluster.tokenOf('x')
          assert.ok(revision >= last, `after ${afterMs} ms`)
          last = revision
        }
        b.dial('x')
        await cluster.advance(afterMs)
        const dying = { owner: a, claimant: b, third: c }[victim]
        await cluster.kill(dying)
        for (let i = 0; i < 100; i++) {
          await cluster.advance(100)
          check()
        }
        const again = await cluster.restart(dying)
        if (victim === 'owner') cluster.setLink(again, b, true)
        await cluster.advance(5000)
        const node = victim === 'claimant' ? again : b
        cluster.setLink(cluster.nodes.get('a') ?? a, cluster.nodes.get('b') ?? b, true)
        await cluster.advance(500)
        const client = cluster.acknowledging(node.dial('x'))
        assert.equal(await answered(client, 20_000), 0, `after ${afterMs} ms`)
        await cluster.advance(5000)
        const present = client.of('connack')[0]?.sessionPresent
        assert.equal(present, true, `after ${afterMs} ms`)
        assert.deepEqual(textsOf(client), ['kept'], `after ${afterMs} ms`)
        assert.deepEqual(questions(), [], `after ${afterMs} ms`)
      }
    })
  }
})
