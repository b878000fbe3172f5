import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CountingBloom } from '../../gossip/counting-bloom.ts'
import type { ForwardQueueStatus } from '../../routing/forwarder-stats.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import { SharedGroups } from '../../routing/shared-groups.ts'
import { SharedTickets, type SharedStrategy } from '../../routing/shared-tickets.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { TopicHasher } from '../../src/core/interest-hash.ts'
import { limits } from '../../src/core/limits.ts'
import type { LocalSubscription, RemoteNodeInterest } from '../../src/core/ports/routing.ts'
import type { RouteReason } from '../../src/core/ports/routing-control.ts'
import type { Publication } from '../../src/core/publication.ts'
import type { QoS } from '../../src/core/qos.ts'
import { RoutingInspector } from '../../src/node/routing-inspector.ts'

/** A node with the real indexes, and around them what a test says. */
class Inspected {
  readonly localIndex = new TrieLocalIndex()
  readonly remoteIndex = new HashedRemoteIndex('test')
  readonly sharedGroups: SharedGroups
  readonly gone = new Set<string>()
  readonly queues: ForwardQueueStatus[] = []
  retained: Publication[] = []
  isSuspended = false
  readonly routing: RoutingInspector
  readonly #hasher = new TopicHasher('test')

  constructor(strategy: SharedStrategy = 'round-robin') {
    const isLive = (nodeId: string): boolean => !this.gone.has(nodeId)
    const random = new SeededRandom(1)
    this.sharedGroups = new SharedGroups('self', new SharedTickets(strategy, random), random, isLive)
    this.routing = new RoutingInspector({
      nodeId: 'self',
      topicLevelsMax: 8,
      acceptTimeoutMs: 1000,
      localIndex: this.localIndex,
      remoteIndex: this.remoteIndex,
      sharedGroups: this.sharedGroups,
      interest: {
        sequence: 9,
        status: () => [{ nodeId: 'n1', incarnation: 5, sequence: 12, filters: 3, known: true }],
      },
      retained: { match: topic => this.retained.filter(message => message.topic === topic) },
      transport: { isUp: nodeId => nodeId === 'n1' },
      peers: { queues: () => this.queues },
      incarnation: () => 4,
      mayAcknowledge: () => !this.isSuspended,
    })
  }

  subscribe(clientId: string, filter: string, more: Partial<LocalSubscription> = {}): LocalSubscription {
    const subscription: LocalSubscription = {
      filter,
      group: undefined,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      subscriptionIdentifiers: [],
      subscriber: { clientId, canTakeShared: true, deliver: () => assert.fail('delivered') },
      ...more,
    }
    this.localIndex.add(subscription)
    return subscription
  }

  remote(nodeId: string, ...exact: string[]): RemoteNodeInterest {
    const node = this.remoteIndex.node(nodeId)
    const bloom = new CountingBloom(15)
    for (const filter of exact) {
      this.#hasher.hash(filter)
      bloom.add(this.#hasher.low, this.#hasher.high)
    }
    node.begin(15)
    node.writeSegment(0, bloom.segment(0))
    node.setKnown(true)
    return node
  }

  queue(nodeId: string, more: Partial<ForwardQueueStatus> = {}): void {
    const none = { waiting: 0, isFull: false, isThroughOutbox: false, outboxMessages: 0, outboxBytes: 0 }
    this.queues.push({ nodeId, presence: 'member', ...none, ...more })
  }

  explain(topic: string, qos: QoS = 1, publisher = '') {
    return this.routing.explain({ topic, qos, publisher })
  }
}

describe('RoutingInspector', () => {
  it('names local subscribers once, with their filters, the QoS they would get, and No Local', () => {
    const node = new Inspected()
    const { subscriber } = node.subscribe('both', 'a/b', { qos: 2 })
    node.subscribe('both', 'a/+', { subscriber, qos: 0 })
    node.subscribe('deaf', 'a/#', { qos: 0, noLocal: true })
    node.subscribe('other', 'b/#')
    const { local } = node.explain('a/b', 1, 'deaf')
    assert.equal(local.total, 2)
    const found = new Map(local.items.map(item => [item.clientId, item]))
    assert.deepEqual([...(found.get('both')?.filters ?? [])].sort(), ['a/+', 'a/b'])
    assert.equal(found.get('both')?.qos, 1)
    assert.equal(found.get('both')?.isSkipped, false)
    assert.deepEqual(found.get('deaf'), {
      clientId: 'deaf',
      filters: ['a/#'],
      qos: 0,
      noLocal: true,
      isSkipped: true,
    })
  })

  it('lists no more than its bound, and counts all', () => {
    const node = new Inspected()
    for (let i = 0; i < limits.explainedItemsMax + 30; i++) node.subscribe(`c${i}`, 'a')
    const { local } = node.explain('a')
    assert.equal(local.items.length, limits.explainedItemsMax)
    assert.equal(local.total, limits.explainedItemsMax + 30)
  })

  it('says why each node gets it, and at which version it is known', () => {
    const node = new Inspected()
    const n1 = node.remote('n1', 'a/b')
    n1.setPattern('', 'a/+', 1)
    node.remote('n2', 'c')
    node.remoteIndex.node('n3')
    node.queue('n1', { waiting: 7 })
    const { nodes, nodesLeftOut } = node.explain('a/b')
    assert.deepEqual(
      nodes.items.map(({ nodeId, reasons }) => [nodeId, reasons.map(({ kind }) => kind)]),
      [
        ['n1', ['exact', 'pattern']],
        ['n3', ['unknown']],
      ],
    )
    assert.equal(nodesLeftOut, 1)
    const [first] = nodes.items
    assert.deepEqual([first?.incarnation, first?.sequence, first?.isLinkUp, first?.waiting], [5, 12, true, 7])
    const exact = first?.reasons.find(
      (reason): reason is RouteReason & { kind: 'exact' } => reason.kind === 'exact',
    )
    assert.ok(exact !== undefined && exact.falsePositiveRate < 1e-6)
  })

  it('names exactly the nodes that routing would, whatever they subscribed to', () => {
    const filter = fc.constantFrom('a', 'a/b', 'a/+', '#', '+/b', 'x')
    const interest = fc.record({
      known: fc.boolean(),
      exact: fc.subarray(['a', 'a/b', 'x']),
      patterns: fc.array(filter),
    })
    fc.assert(
      fc.property(fc.array(interest, { maxLength: 4 }), nodes => {
        const node = new Inspected()
        nodes.forEach(({ known, exact, patterns }, i) => {
          const remote = node.remote(`n${i}`, ...exact)
          for (const pattern of patterns) remote.setPattern(/[+#]/.test(pattern) ? '' : 'g', pattern, 1)
          remote.setKnown(known)
        })
        for (const topic of ['a', 'a/b', 'x', 'q']) {
          const named = node.explain(topic).nodes.items.map(({ nodeId }) => nodeId)
          assert.deepEqual(named, [...node.remoteIndex.match(topic)].sort())
        }
      }),
    )
  })

  it('foretells the member of a shared subscription, and takes no turn by it', () => {
    const node = new Inspected()
    node.subscribe('one', 'a/+', { group: 'g' })
    node.subscribe('two', 'a/+', { group: 'g' })
    node.remote('n1').setPattern('g', 'a/+', 1)
    const choice = () => node.explain('a/b').groups.items[0]
    assert.equal(choice()?.chosenNode, undefined) // the first turn is not drawn yet
    const local = node.localIndex.matchShared('a/b')[0]
    const remote = node.remoteIndex.matchShared('a/b')?.[0]
    const message = { topic: 'a/b', publisher: '', qos: 1 } as Publication
    node.sharedGroups.choose({ local, remote }, message)
    for (let i = 0; i < 12; i++) {
      const foretold = choice()
      assert.deepEqual(choice(), foretold)
      assert.equal(foretold?.clientHere, local?.peek()?.subscriber.clientId)
      assert.equal(node.sharedGroups.choose({ local, remote }, message), foretold?.chosenNode)
      if (foretold?.chosenNode === 'self')
        assert.equal(local?.next()?.subscriber.clientId, foretold.chosenClient)
      else assert.equal(foretold?.chosenClient, undefined)
    }
  })

  it('foretells the member that goes by publisher or topic', () => {
    for (const strategy of ['sticky', 'hash-topic'] as const) {
      const node = new Inspected(strategy)
      for (const clientId of ['one', 'two', 'three']) node.subscribe(clientId, 'a/+', { group: 'g' })
      const named = new Set<string | undefined>()
      for (let i = 0; i < 20; i++) {
        const message = { topic: `a/${i}`, publisher: `p${i}`, qos: 1 } as Publication
        const { chosenClient } = node.explain(message.topic, 1, message.publisher).groups.items[0] ?? {}
        const ticket = node.sharedGroups.tickets.draw(message)
        assert.equal(
          node.localIndex.matchShared(message.topic)[0]?.next(ticket)?.subscriber.clientId,
          chosenClient,
        )
        named.add(chosenClient)
      }
      assert.equal(named.size, 3)
    }
  })

  it('explains each strategy by what it does', () => {
    const because = (strategy: SharedStrategy, publisher = 'p') => {
      const node = new Inspected(strategy)
      node.subscribe('one', 'a', { group: 'g' })
      node.remote('n1').setPattern('g', 'a', 1)
      const choice = node.explain('a', 1, publisher).groups.items[0]
      return { node: choice?.chosenNode, because: choice?.because ?? '' }
    }
    assert.equal(because('random').node, undefined)
    assert.match(because('random').because, /drawn at random/)
    assert.equal(because('local-first').node, 'self')
    assert.match(because('sticky').because, /always the same for this publisher/)
    assert.match(because('sticky', '').because, /without client id/)
    assert.match(because('hash-topic').because, /always the same for this topic/)
    assert.equal(because('sticky').node, because('sticky').node)
  })

  it('changes nothing: no answer is remembered', () => {
    const node = new Inspected()
    node.subscribe('one', 'a')
    node.remote('n1', 'a')
    for (let i = 0; i < 5; i++) node.explain('a')
    node.localIndex.match('a')
    const second = node.localIndex.match('a') // remembered from here on
    assert.equal(node.localIndex.match('a'), second)
    node.explain('a')
    assert.equal(node.localIndex.match('a'), second)
  })

  it('says what an acknowledgement waits for', () => {
    const node = new Inspected()
    assert.deepEqual(node.explain('a').waitsFor, [])
    node.subscribe('one', 'a')
    node.remote('n1', 'a')
    node.remote('n2', 'a')
    node.queue('n1')
    node.queue('n2', { presence: 'away', isThroughOutbox: true })
    node.isSuspended = true
    const [lease = '', store = '', direct = '', outbox = ''] = node.explain('a').waitsFor
    assert.match(lease, /suspended/)
    assert.match(store, /store of this node/)
    assert.match(direct, /^n1 to accept it, or after 1000 ms/)
    assert.match(outbox, /outbox for n2 /)
    node.remote('n3').setPattern('g', 'a', 1)
    assert.equal(node.explain('a').waitsFor.at(-1), 'n3 to take it for $share/g/a')
    assert.deepEqual(node.explain('a', 0).waitsFor, [])
  })

  it('shows the retained message of the topic', () => {
    const node = new Inspected()
    node.retained = [{ topic: 'a', payload: Buffer.from('xyz'), qos: 1 } as unknown as Publication]
    assert.deepEqual(node.explain('a').retained, { bytes: 3, qos: 1, expiresAtMs: undefined })
    assert.equal(node.explain('b').retained, undefined)
  })

  it('lists patterns of all nodes in pages, and figures of their exact filters', () => {
    const node = new Inspected()
    node.subscribe('one', 'own/+')
    node.subscribe('one', 'exact')
    node.subscribe('one', 'own/#', { group: 'g' })
    const exact = Array.from({ length: 1000 }, (_, i) => `f/${i}`)
    const n1 = node.remote('n1', ...exact)
    n1.setPattern('', 'x/+', 1)
    n1.setPattern('g', 'x', 4)
    const all = node.routing.routes({ nodeId: undefined, offset: 0, limit: 10 })
    assert.deepEqual(all.patterns, {
      total: 4,
      items: [
        { nodeId: 'self', group: undefined, filter: 'own/+', members: 1 },
        { nodeId: 'self', group: 'g', filter: 'own/#', members: 1 },
        { nodeId: 'n1', group: undefined, filter: 'x/+', members: 1 },
        { nodeId: 'n1', group: 'g', filter: 'x', members: 4 },
      ],
    })
    const page = node.routing.routes({ nodeId: undefined, offset: 1, limit: 2 })
    assert.deepEqual(page.patterns.items, all.patterns.items.slice(1, 3))
    assert.equal(node.routing.routes({ nodeId: 'n1', offset: 0, limit: 9 }).patterns.total, 2)
    const [self, other] = all.nodes
    assert.deepEqual([self?.exactFilters, self?.patterns, self?.sequence], [1, 2, 9])
    const { table } = other ?? {}
    assert.equal(table?.bits, 15)
    assert.ok(Math.abs((table?.estimatedFilters ?? 0) - 1000) < 30, String(table?.estimatedFilters))
  })

  it('measures the rate of false positives that look-ups really have', () => {
    const node = new Inspected()
    node.remote('n1', ...Array.from({ length: 4500 }, (_, i) => `held/${i}`))
    const [, other] = node.routing.routes({ nodeId: undefined, offset: 0, limit: 1 }).nodes
    const asked = 20_000
    let wrong = 0
    for (let i = 0; i < asked; i++) wrong += node.remoteIndex.match(`absent/${i}`).length
    const measured = other?.table?.falsePositiveRate ?? 0
    assert.ok(Math.abs(measured - wrong / asked) < 0.3 * measured, `${measured} against ${wrong / asked}`)
  })

  it('says who has exactly one filter: wildcards and groups for certain, others probably', () => {
    const node = new Inspected()
    node.subscribe('one', 'a')
    const n1 = node.remote('n1', 'a')
    n1.setPattern('', 'a/+', 1)
    n1.setPattern('g', 'a', 3)
    const held = (filter: string) =>
      node.routing.holders(filter).map(({ nodeId, members, isCertain }) => [nodeId, members, isCertain])
    assert.deepEqual(held('a'), [
      ['self', 1, true],
      ['n1', 1, false],
    ])
    assert.deepEqual(held('a/+'), [['n1', 1, true]])
    assert.deepEqual(held('$share/g/a'), [['n1', 3, true]])
    assert.deepEqual(held('a/#'), [])
  })

  it('refuses what is no topic and no filter', () => {
    const { routing } = new Inspected()
    assert.equal(routing.topicFault('a/+'), 'misuses a wildcard')
    assert.equal(routing.topicFault('a/'.repeat(9)), 'has too many levels')
    assert.equal(routing.filterFault('$share/g/a/#'), undefined)
    assert.equal(routing.filterFault('$share/+/a'), 'names no group of a shared subscription')
    assert.equal(routing.filterFault('$share/g'), 'is empty')
  })
})
