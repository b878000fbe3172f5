import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../sim/ports/sim-coordination-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { ClientSocket } from '../../sim/world/client-socket.ts'
import { CrashDisk } from '../../sim/world/crash-disk.ts'
import { CoreClock, CpuCore } from '../../sim/world/cpu-core.ts'
import { GossipMesh } from '../../sim/world/gossip-mesh.ts'
import { GossipNetwork } from '../../sim/world/gossip-network.ts'
import { MeshNetwork } from '../../sim/world/mesh-network.ts'
import { NetworkConditions } from '../../sim/world/network-conditions.ts'
import { ProcessClock } from '../../sim/world/process-clock.ts'
import { StoreClient } from '../../sim/world/store-client.ts'
import { Trace } from '../../sim/world/trace.ts'
import { byteStreamContract } from '../contract/byte-stream-contract.ts'
import { coordinationStoreContract } from '../contract/coordination-store-contract.ts'
import { gossipContract } from '../contract/gossip-contract.ts'
import { peerTransportContract } from '../contract/peer-transport-contract.ts'
import { makeStoreHarness, storeContract } from '../contract/store-contract.ts'

const latency = { baseMs: 0.5, jitterMs: 0.2, tailShare: 0.05, tailMs: 20, bytesPerMs: 1_000_000 }

function world() {
  const clock = new VirtualClock()
  const conditions = new NetworkConditions(latency, new SeededRandom(1), () => clock.now())
  const processClock = (): ProcessClock =>
    new ProcessClock(clock, 0, error => {
      throw error
    })
  return { clock, conditions, processClock, trace: new Trace(() => clock.now()), random: new SeededRandom(2) }
}

describe('MeshNetwork', () => {
  peerTransportContract(() => {
    const { clock, processClock, ...context } = world()
    const network = new MeshNetwork({ clock, ...context })
    return Promise.resolve({
      subject: { transport: nodeId => Promise.resolve(network.transport(nodeId, processClock())) },
      advance: ms => clock.advance(ms),
      close: () => Promise.resolve(),
    })
  })
})

byteStreamContract('ClientSocket', /^sim:0$/, () => {
  const { clock, conditions, processClock } = world()
  const peer = {
    onChange: () => {},
    pendingBytes: 0,
    isClosed: false,
    chunks: [] as Uint8Array[],
    received: () => Buffer.concat(peer.chunks),
    write(bytes: Uint8Array) {
      peer.pendingBytes += bytes.length
      socket.send(bytes, () => (peer.pendingBytes -= bytes.length))
    },
    pause: () => socket.setStalled(true),
    resume: () => socket.setStalled(false),
    end: () => socket.end(),
    reset: () => socket.reset(),
  }
  const socket = new ClientSocket({ clock, conditions }, 'a', processClock(), {
    onData: chunk => void peer.chunks.push(chunk),
    onClose: () => (peer.isClosed = true),
  })
  return Promise.resolve({
    stream: socket.stream,
    peer,
    time: { pass: () => clock.advance(1), later: task => clock.schedule(0.5, task) },
    close: () => Promise.resolve(),
  })
})

describe('GossipNetwork', () => {
  gossipContract(() => {
    const { clock, conditions, random, processClock } = world()
    const network = new GossipNetwork(clock, conditions, random, { lost: 0.1, doubled: 0.1, delayMs: 5 })
    const members = ['a', 'b', 'c'].map(site => network.member(site, `peer-${site}`, processClock()))
    return Promise.resolve({
      subject: {
        members,
        peerIds: members.map(({ peerId }) => peerId),
        close: gone => members.filter(member => member === gone).forEach(member => network.leave(member)),
      },
      advance: ms => clock.advance(ms),
      close: () => Promise.resolve(),
    })
  })
})

describe('GossipMesh', () => {
  gossipContract(() => {
    const { clock, conditions, random } = world()
    const mesh = new GossipMesh(clock, conditions, random, {
      degree: 2,
      lazy: 1,
      heartbeatMs: 100,
      isFlooding: false,
      lossShare: 0.1,
      sendMs: 0.1,
      receiveMs: 0.1,
      handleMs: 0.1,
      overheadMs: () => 1,
      isLinked: () => true,
    })
    const fail = (error: unknown): never => {
      throw error
    }
    const members = ['a', 'b', 'c', 'd'].map(site =>
      mesh.member(site, `peer-${site}`, new CoreClock(clock, new CpuCore(clock), fail)),
    )
    return Promise.resolve({
      subject: { members, peerIds: members.map(({ peerId }) => peerId) },
      advance: ms => clock.advance(ms),
      close: () => Promise.resolve(),
    })
  }, false)
})

coordinationStoreContract('StoreClient', () => {
  const { clock, processClock, ...context } = world()
  const service = new SimCoordinationService(clock)
  const subject = new StoreClient(
    { clock, ...context, service, availability: { isDown: false, isElecting: false } },
    'a',
    processClock(),
  )
  return Promise.resolve({ subject, advance: ms => clock.advance(ms), close: () => subject.close() })
})

storeContract('CrashDisk', () => {
  const clock = new VirtualClock()
  const disk = new CrashDisk(new SeededRandom(1))
  return makeStoreHarness(
    () => Promise.resolve(disk.open(clock)),
    ms => clock.advance(ms),
  )
})
