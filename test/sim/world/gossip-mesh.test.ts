import assert from 'node:assert/strict'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import { CoreClock, CpuCore } from '../../../sim/world/cpu-core.ts'
import { GossipMesh, type GossipMeshMember, type GossipMeshOptions } from '../../../sim/world/gossip-mesh.ts'

interface Cluster {
  readonly clock: VirtualClock
  readonly mesh: GossipMesh
  readonly members: readonly GossipMeshMember[]
  /** By member, in order of arrival. */
  readonly heard: readonly { readonly text: string; readonly atMs: number }[][]
  isBlocked: (from: string, to: string) => boolean
}

function makeCluster(count: number, options: Partial<GossipMeshOptions> = {}): Cluster {
  const clock = new VirtualClock()
  const cluster = { isBlocked: (_from: string, _to: string) => false }
  const mesh = new GossipMesh(
    clock,
    { isBlocked: (from, to) => cluster.isBlocked(from, to), delayMs: () => 1 },
    new SeededRandom(1),
    {
      ...{
        degree: 4,
        lazy: 4,
        heartbeatMs: 1000,
        isFlooding: false,
        lossShare: 0,
        sendMs: 0,
        receiveMs: 0,
        handleMs: 0,
      },
      overheadMs: () => 0,
      isLinked: () => true,
      ...options,
    },
  )
  const heard: { text: string; atMs: number }[][] = []
  const members = Array.from({ length: count }, (_, index) => {
    const core = new CpuCore(clock)
    const member = mesh.member(
      `node-${index}`,
      `peer-${index}`,
      new CoreClock(clock, core, error => assert.fail(String(error))),
    )
    heard.push([])
    member.onMessage(message =>
      heard[index]?.push({ text: new TextDecoder().decode(message), atMs: clock.now() }),
    )
    return member
  })
  return Object.assign(cluster, { clock, mesh, members, heard })
}

function publish({ members }: Cluster, from: number, text: string): void {
  members[from]?.publish(new TextEncoder().encode(text))
}

describe('GossipMesh', () => {
  it('brings a message to every member once, not to its publisher, over a mesh of the degree asked for', async () => {
    const cluster = makeCluster(30)
    await cluster.clock.advance(3000)
    for (const { neighbours } of cluster.members) assert.ok(neighbours.size >= 1 && neighbours.size <= 8)
    publish(cluster, 0, 'news')
    await cluster.clock.advance(5000)
    assert.deepEqual(
      cluster.heard.map(messages => messages.length),
      cluster.members.map((_, index) => (index === 0 ? 0 : 1)),
    )
  })

  it('sends as many copies as a mesh has ends, less one per member that heard it from a neighbour', async () => {
    const cluster = makeCluster(20)
    await cluster.clock.advance(3000)
    // One with fewer neighbours than the degree sends to others besides.
    const publisher = cluster.members.findIndex(({ neighbours }) => neighbours.size >= 4)
    publish(cluster, publisher, 'news')
    await cluster.clock.advance(100)
    const ends = cluster.members.reduce((sum, { neighbours }) => sum + neighbours.size, 0)
    const { copies, duplicates } = cluster.mesh.traffic
    // One in a thousand is lost: with this seed none of these.
    assert.equal(copies, ends - 19)
    assert.equal(duplicates, copies - 19)
  })

  it('takes the sender’s time for each copy and the receiver’s for the one that arrives', async () => {
    const cluster = makeCluster(4, { isFlooding: true, sendMs: 10, receiveMs: 5 })
    const [first] = cluster.members
    first?.clock.core.run(0, () => publish(cluster, 0, 'news'))
    await cluster.clock.advance(14)
    // The copies leave when the job is over, for its conditions here do not know how far it is.
    assert.equal(first?.clock.core.busyMs, 30)
    assert.deepEqual(
      cluster.heard.slice(1).map(([message]) => message?.atMs),
      [6, 6, 6],
    )
  })

  it('repairs what was lost: a member that is told of a message it missed asks for it', async () => {
    const cluster = makeCluster(12, { degree: 2 })
    await cluster.clock.advance(3000)
    cluster.isBlocked = (_from, to) => to === 'node-5'
    publish(cluster, 0, 'news')
    await cluster.clock.advance(100)
    assert.equal(cluster.heard[5]?.length, 0)
    cluster.isBlocked = () => false
    await cluster.clock.advance(4000)
    assert.equal(cluster.heard[5]?.length, 1)
    assert.ok(cluster.mesh.traffic.asked >= 1)
  })

  it('forgets after five heartbeats: what is missed for longer stays lost', async () => {
    const cluster = makeCluster(12)
    await cluster.clock.advance(3000)
    cluster.isBlocked = (_from, to) => to === 'node-5'
    publish(cluster, 0, 'news')
    await cluster.clock.advance(10_000)
    cluster.isBlocked = () => false
    await cluster.clock.advance(20_000)
    assert.equal(cluster.heard[5]?.length, 0)
  })
})
