import assert from 'node:assert/strict'
import { encodeDeltas, ExactChanges } from '../../gossip/delta-codec.ts'
import { generateHostKey } from '../../src/mesh/host-key.ts'
import { until } from '../contract/harness.ts'
import { linkAll, MeshHarness } from './mesh-harness.ts'

describe('a mesh of real libp2p hosts', () => {
  let harness: MeshHarness

  beforeEach(() => {
    harness = new MeshHarness()
  })

  afterEach(async () => {
    await harness.close()
  })

  it('carries large and many small frames in order, both ways at once', async () => {
    const nodes = [await harness.node(), await harness.node(), await harness.node()]
    await linkAll(harness, nodes)
    const [a, b] = [nodes[0]?.transport, nodes[1]?.transport]
    assert.ok(a && b)
    const large = new Uint8Array(1024 * 1024).fill(5)
    const counts = { small: 0, large: 0 }
    for (const node of [a, b]) {
      let next = 0
      node.onFrame('forward', (_, frame) => {
        const number = new DataView(frame.buffer, frame.byteOffset).getUint32(0)
        assert.equal(number, next++)
        counts.small++
      })
      node.onFrame('session', (_, frame) => {
        assert.ok(frame.length === large.length && frame.every(byte => byte === 5))
        counts.large++
      })
    }
    const small = new Uint8Array(256)
    for (let i = 0; i < 50_000; i++) {
      new DataView(small.buffer).setUint32(0, i)
      assert.ok(a.send('node-1', 'forward', small))
      assert.ok(b.send('node-0', 'forward', small))
      if (i % 10_000 === 0) {
        assert.ok(a.send('node-1', 'session', large))
        assert.ok(b.send('node-0', 'session', large))
      }
    }
    await until(harness, 'all frames', () => counts.small === 100_000 && counts.large === 10, 20_000)
  }).timeout(30_000)

  it('links again with a node that restarted under its key', async () => {
    const key = await generateHostKey()
    const [a, b] = [await harness.node(), await harness.node({ key })]
    const events: string[] = []
    a.transport.addPeerListener({
      onPeerUp: ({ incarnation }) => events.push(`up ${incarnation}`),
      onPeerDown: ({ incarnation }) => events.push(`down ${incarnation}`),
    })
    await linkAll(harness, [a, b])
    assert.equal(a.transport.stats.linksLost, 0)
    const dialsBefore = a.transport.stats.dials
    await b.close()
    await until(harness, 'the death to be noticed', () => events.length === 2)
    await until(harness, 'it to be dialled in vain', () => a.transport.stats.dialsFailed > 0)
    assert.equal(a.transport.stats.linksLost, 1)
    assert.ok(a.transport.stats.dials > dialsBefore)
    const again = await harness.node({ key })
    again.transport.start('node-1', 2)
    a.transport.setMembers([{ nodeId: 'node-1', incarnation: 2, ...again.transport.self }])
    again.transport.setMembers([{ nodeId: 'node-0', incarnation: 1, ...a.transport.self }])
    await until(harness, 'the new link', () => events.length === 3 && again.transport.isUp('node-0'))
    assert.deepEqual(events, ['up 1', 'down 1', 'up 2'])
    let heard = 0
    again.gossip.onMessage(() => heard++)
    await until(harness, 'gossip to the restarted node', () => {
      a.gossip.publish(delta('node-0'))
      return heard > 0
    })
  })

  it('turns an outsider away who claims to be a member, and is not disturbed', async () => {
    const nodes = [await harness.node(), await harness.node()]
    const addresses = await linkAll(harness, nodes)
    const outsider = await harness.node()
    const events: string[] = []
    for (const { transport } of nodes) {
      transport.addPeerListener({
        onPeerUp: ({ nodeId }) => events.push(`up ${nodeId}`),
        onPeerDown: ({ nodeId }) => events.push(`down ${nodeId}`),
      })
    }
    outsider.transport.start('node-0', 1) // sorts first, so that it is the one to open links
    outsider.transport.setMembers(addresses.slice(1))
    const refused = (line: string): boolean => line.includes('refused a connection from a non-member')
    await until(harness, 'two attempts', () => (nodes[1]?.logger.lines.filter(refused).length ?? 0) >= 2)
    assert.deepEqual(events, [])
    assert.equal(outsider.transport.isUp('node-1'), false)
    assert.ok(nodes.every(({ logger }) => logger.lines.every(line => !/^(warn|error)/.test(line))))
  })

  it('names both clusters when a member belongs to another', async () => {
    const [a, b] = [await harness.node({ cluster: 'red' }), await harness.node({ cluster: 'blue' })]
    for (const [node, nodeId, other, otherId] of [
      [a, 'node-0', b, 'node-1'],
      [b, 'node-1', a, 'node-0'],
    ] as const) {
      node.transport.start(nodeId, 1)
      node.transport.setMembers([{ nodeId: otherId, incarnation: 1, ...other.transport.self }])
    }
    const warnings = (): string[] => b.logger.lines.filter(line => line.startsWith('warn'))
    await until(harness, 'a warning', () => warnings().length > 0)
    assert.match(warnings().join(), /it belongs to cluster \\"red\\", this node to \\"blue\\"/)
    await harness.advance(300)
    assert.equal(warnings().length, 1)
    assert.equal(a.transport.isUp('node-1'), false)
  })

  it('gossips from one host to all others', async () => {
    const nodes = await Promise.all(Array.from({ length: 5 }, () => harness.node()))
    await linkAll(harness, nodes)
    const heard = nodes.map(({ gossip }) => {
      const sequences = new Set<number>()
      gossip.onMessage(message =>
        sequences.add(new DataView(message.buffer, message.byteOffset).getUint32(14)),
      )
      return sequences
    })
    await until(harness, 'a message at all others', () => {
      nodes[0]?.gossip.publish(delta('node-0'))
      return heard.slice(1).every(sequences => sequences.size > 0)
    })
    // From here on nothing should be lost: each message is heard by each.
    const before = heard.map(({ size }) => size)
    for (let i = 0; i < 50; i++) nodes[0]?.gossip.publish(delta('node-0'))
    await until(harness, '50 messages at all others', () =>
      heard.slice(1).every(({ size }, i) => size >= (before[i + 1] ?? 0) + 50),
    )
    assert.equal(heard[0]?.size, 0)
  }).timeout(10_000)
})

let sequence = 0

function delta(nodeId: string): Uint8Array {
  const exact = new ExactChanges()
  exact.added(1, 2)
  const changes = { incarnation: 1, firstSequence: ++sequence, generation: 1, exact, patterns: [] }
  return encodeDeltas({ nodeId, ...changes })[0] as Uint8Array
}
