import type { Gossip } from '../../src/core/ports/gossip.ts'
import { gossipContract } from '../contract/gossip-contract.ts'
import { linkAll, MeshHarness } from '../mesh/mesh-harness.ts'

describe('GossipsubGossip', () => {
  gossipContract(async () => {
    const harness = new MeshHarness()
    const nodes = [await harness.node(), await harness.node(), await harness.node()]
    await linkAll(harness, nodes)
    return {
      subject: {
        members: nodes.map(({ gossip }): Gossip => gossip),
        peerIds: nodes.map(({ transport }) => transport.self.peerId),
        close: member => nodes.find(({ gossip }) => gossip === member)?.gossip.close(),
      },
      advance: ms => harness.advance(ms),
      close: () => harness.close(),
    }
  })
})
