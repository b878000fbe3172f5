import assert from 'node:assert/strict'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

describe('LatePeers', () => {
  let clock: VirtualClock
  let a: ForwardingNode
  let b: ForwardingNode

  beforeEach(async () => {
    clock = new VirtualClock()
    const network = new SimPeerNetwork(clock)
    a = new ForwardingNode({ network, clock, nodeId: 'a', incarnation: 1 })
    b = new ForwardingNode({ network, clock, nodeId: 'b', incarnation: 2 })
    a.interested = ['b']
    a.know(b)
    b.know(a)
    await clock.advance(200)
    b.isJournaling = true
  })

  /** `b` accepts nothing for `ms`, then all. */
  const standStill = async (ms: number): Promise<void> => {
    b.isHeld = true
    a.router.publish(publication('x', 1), new CountedAcceptance())
    await clock.advance(ms)
    b.isHeld = false
    b.commit()
    await clock.advance(200)
  }

  const lines = (): string[] => a.logged.map(({ level, fields }) => `${level} ${String(fields?.['peer'])}`)

  it('names a member that turns late, and says when it has caught up', async () => {
    b.isHeld = true
    a.router.publish(publication('x', 1), new CountedAcceptance())
    await clock.advance(900)
    assert.deepEqual(lines(), [])
    await clock.advance(200)
    assert.deepEqual(lines(), ['warn b'])
    await clock.advance(5000)
    b.isHeld = false
    b.commit()
    await clock.advance(200)
    assert.deepEqual(lines(), ['warn b', 'info b'])
    const lateMs = a.logged[1]?.fields?.['lateMs'] as number
    assert(lateMs > 5000 && lateMs < 5500, `late for ${lateMs} ms`)
  })

  it('names one that is late again and again once a minute, and counts each time', async () => {
    for (let i = 0; i < 5; i++) await standStill(2000)
    assert.deepEqual(lines(), ['warn b', 'info b'])
    assert.equal(a.forwarder.stats.lateness, 5)
    await clock.advance(60_000)
    await standStill(2000)
    assert.deepEqual(lines(), ['warn b', 'info b', 'warn b', 'info b'])
  })

  it('says nothing of one that accepts in time', async () => {
    for (let i = 0; i < 10; i++) await standStill(500)
    assert.deepEqual(lines(), [])
  })
})
