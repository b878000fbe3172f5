import assert from 'node:assert/strict'
import { ForwardPeer } from '../../routing/forward-peer.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'

describe('ForwardPeer', () => {
  it('calls what is late late, though rounding leaves less time over than the clock can tell', async () => {
    const clock = new VirtualClock(undefined, 100)
    await clock.advance(1e9)
    const dueMs = clock.now() + 1000
    const queue = { isDurable: false, msUntilLate: () => (clock.now() > dueMs ? 0 : 1e-8) }
    const ignore = (): void => undefined
    const peer = new ForwardPeer('b', 1, queue as never, ignore, ignore)
    let isLate = false
    peer.watchLateness(clock, 1000, () => {
      isLate = true
    })
    await clock.advance(2000)
    assert(isLate)
  })
})
