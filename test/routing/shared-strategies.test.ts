import assert from 'node:assert/strict'
import type { RemoteGroup } from '../../src/core/ports/routing.ts'
import type { Publication } from '../../src/core/publication.ts'
import type { QoS } from '../../src/core/qos.ts'
import type { SharedStrategy } from '../../routing/shared-tickets.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

const MEMBERS_PER_NODE = 3

/** Nodes a and b with three members of `$share/g/t/+` each, and c with none; all of them know. */
class Group {
  readonly clock = new VirtualClock()
  /** Whom each payload reached. */
  readonly takers = new Map<string, string>()
  /** Members that cannot take a message now. */
  readonly away = new Set<string>()
  readonly nodes: readonly ForwardingNode[]
  #count = 0

  constructor(strategy: SharedStrategy, joinOrder: readonly number[] = [0, 1, 2]) {
    const network = new SimPeerNetwork(this.clock)
    this.nodes = ['a', 'b', 'c'].map(
      (nodeId, i) => new ForwardingNode({ network, clock: this.clock, nodeId, incarnation: i + 1, strategy }),
    )
    for (const node of this.nodes) {
      const { nodeId } = node.address
      const others = this.nodes.filter(other => other !== node)
      node.know(...others)
      const members = new Map(
        ['a', 'b'].filter(name => name !== nodeId).map(name => [name, MEMBERS_PER_NODE]),
      )
      node.sharedElsewhere = [{ group: 'g', filter: 't/+', members } satisfies RemoteGroup]
      if (nodeId !== 'c') for (const i of joinOrder) this.join(node, `${nodeId}${i}`)
    }
  }

  join(node: ForwardingNode, clientId: string): void {
    const { away, takers } = this
    node.index.add({
      filter: 't/+',
      qos: 2,
      noLocal: false,
      retainAsPublished: false,
      group: 'g',
      subscriptionIdentifiers: [],
      subscriber: {
        clientId,
        get canTakeShared() {
          return !away.has(clientId)
        },
        deliver: ({ payload }) => void takers.set(Buffer.from(payload).toString(), clientId),
      },
    })
  }

  /** The member that gets it. */
  async publish(ingress: number, of: Partial<Publication>, qos: QoS = 1): Promise<string | undefined> {
    const payload = `${this.#count++}`
    const message = { ...publication(payload, qos), topic: 't/1', ...of }
    this.nodes[ingress]?.router.publish(message, qos === 0 ? undefined : new CountedAcceptance())
    await this.clock.advance(10)
    return this.takers.get(payload)
  }

  /** How often each member was chosen for `count` publications, entering at a, b and c in turn. */
  async counts(count: number, of: (i: number) => Partial<Publication>): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (let i = 0; i < count; i++) {
      const taker = (await this.publish(i % 3, of(i))) ?? 'nobody'
      counts.set(taker, (counts.get(taker) ?? 0) + 1)
    }
    return counts
  }
}

async function started(strategy: SharedStrategy, joinOrder?: readonly number[]): Promise<Group> {
  const group = new Group(strategy, joinOrder)
  await group.clock.advance(200)
  return group
}

describe('the member of a shared subscription', () => {
  const kinds = [
    { strategy: 'sticky', of: 'publisher', by: (i: number) => ({ publisher: `p${i}`, topic: `t/${i % 7}` }) },
    { strategy: 'hash-topic', of: 'topic', by: (i: number) => ({ topic: `t/${i}`, publisher: `p${i % 7}` }) },
  ] as const

  for (const { strategy, of, by } of kinds) {
    it(`is one for each ${of}, wherever it is published and at whatever QoS, if it is ${strategy}`, async () => {
      const group = await started(strategy)
      for (let key = 0; key < 20; key++) {
        const takers = new Set<string | undefined>()
        for (const ingress of [0, 1, 2]) {
          // What does not count differs.
          const rest = strategy === 'sticky' ? { topic: `t/${ingress}` } : { publisher: `p${ingress}` }
          for (const qos of [0, 1, 2] as const)
            takers.add(await group.publish(ingress, { ...by(key), ...rest }, qos))
        }
        assert.equal(takers.size, 1)
        assert.ok(!takers.has(undefined))
      }
    })

    it(`is any of them over many of them, if it is ${strategy}`, async () => {
      const counts = await (await started(strategy)).counts(600, by)
      assert.equal(counts.size, 2 * MEMBERS_PER_NODE)
      for (const count of counts.values()) assert.ok(count > 60 && count < 140, [...counts.values()].join())
    })

    it(`does not depend on who came first, if it is ${strategy}`, async () => {
      const [one, other] = [await started(strategy), await started(strategy, [2, 0, 1])]
      for (let key = 0; key < 20; key++)
        assert.equal(await one.publish(key % 3, by(key)), await other.publish((key + 1) % 3, by(key)))
    })
  }

  it('is another of its node while it cannot take a message, and itself again afterwards', async () => {
    const group = await started('hash-topic')
    const chosen = (await group.publish(2, { topic: 't/x' })) ?? ''
    group.away.add(chosen)
    const stand = (await group.publish(2, { topic: 't/x' })) ?? ''
    assert.notEqual(stand, chosen)
    assert.equal(stand[0], chosen[0])
    assert.equal(await group.publish(0, { topic: 't/x' }), stand)
    group.away.clear()
    assert.equal(await group.publish(1, { topic: 't/x' }), chosen)
    for (let i = 0; i < MEMBERS_PER_NODE; i++) group.away.add(`${chosen[0]}${i}`)
    assert.equal(await group.publish(1, { topic: 't/x' }), chosen, 'its session keeps it')
  })

  it('stays the same when its publication is given back by a node without members', async () => {
    const group = await started('sticky')
    const [a, b, c] = group.nodes as [ForwardingNode, ForwardingNode, ForwardingNode]
    const onA = [{ group: 'g', filter: 't/+', members: new Map([['a', MEMBERS_PER_NODE]]) }]
    const onB = [{ group: 'g', filter: 't/+', members: new Map([['b', MEMBERS_PER_NODE]]) }]
    const of = { publisher: 'p', topic: 't/x' }
    c.sharedElsewhere = onA
    const direct = await group.publish(2, of)
    a.sharedElsewhere = []
    assert.equal(await group.publish(0, of), direct)
    for (const members of b.index.groupsFor('t/x')) {
      for (let next = members.peek(); next !== undefined; next = members.peek())
        b.index.remove('t/+', 'g', next.subscriber)
    }
    c.sharedElsewhere = onB // as far as it knows
    const message = { ...publication('back', 1), ...of }
    c.router.publish(message, new CountedAcceptance())
    await group.clock.advance(1)
    c.sharedElsewhere = onA
    await group.clock.advance(100)
    assert.equal(group.takers.get('back'), direct)
    assert.equal(c.shared.stats.redispatched, 1)
  })

  it('is drawn at random, by its own draw on each node, or takes turns, if it is so', async () => {
    const drawn = await (await started('random')).counts(600, () => ({}))
    assert.equal(drawn.size, 2 * MEMBERS_PER_NODE)
    const next = [...drawn.values()]
    assert.ok(Math.max(...next) - Math.min(...next) > 1, 'as if in turn')
    const inTurn = await (await started('round-robin')).counts(600, () => ({}))
    for (const count of inTurn.values()) assert.ok(Math.abs(count - 100) <= 3, String(count))
  })

  it('is told to be chosen evenly in turn, and unevenly by one publisher', async () => {
    const unevenness = async (strategy: SharedStrategy): Promise<number> => {
      const group = await started(strategy)
      for (let i = 0; i < 300; i++) await group.publish(i % 3, { topic: `t/${i}` })
      return Math.max(...group.nodes.map(({ index }) => index.sharedUnevenness()))
    }
    const inTurn = await unevenness('round-robin')
    assert.ok(inTurn >= 1 && inTurn < 1.1, String(inTurn))
    assert.equal(await unevenness('sticky'), MEMBERS_PER_NODE)
    const byTopic = await unevenness('hash-topic')
    assert.ok(byTopic > 1 && byTopic < 1.6, String(byTopic))
  })
})
