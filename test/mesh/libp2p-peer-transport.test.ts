import { peerTransportContract } from '../contract/peer-transport-contract.ts'
import { MeshHarness } from './mesh-harness.ts'

describe('Libp2pPeerTransport', () => {
  peerTransportContract(() => Promise.resolve(new MeshHarness()))
})
