import { SimGossipBus } from '../../sim/ports/sim-gossip.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { gossipContract } from '../contract/gossip-contract.ts'

describe('SimGossipBus', () => {
  gossipContract(() => {
    const clock = new VirtualClock()
    const bus = new SimGossipBus(clock)
    const members = ['a', 'b', 'c'].map(peerId => bus.member(peerId))
    return Promise.resolve({
      subject: {
        members,
        peerIds: ['a', 'b', 'c'],
        close: member => members.find(candidate => candidate === member)?.close(),
      },
      advance: ms => clock.advance(ms),
      close: () => Promise.resolve(),
    })
  })
})
