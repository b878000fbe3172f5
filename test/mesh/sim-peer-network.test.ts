import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { peerTransportContract } from '../contract/peer-transport-contract.ts'

describe('SimPeerNetwork', () => {
  peerTransportContract(() => {
    const clock = new VirtualClock()
    const network = new SimPeerNetwork(clock)
    return Promise.resolve({
      subject: { transport: nodeId => Promise.resolve(network.transport(nodeId)) },
      advance: ms => clock.advance(ms),
      close: () => Promise.resolve(),
    })
  })
})
