import assert from 'node:assert/strict'
import { NetworkLab } from '../support/network-lab.ts'
import { LEASE_TTL_MS, LoadedCluster } from './loaded-cluster.ts'

const DISK_BYTES = 32 * 1024 * 1024

/** Rows of DESIGN section 5 that need another etcd, or another disk, than the rest. */
describe('a cluster of three under load whose stores fail', function () {
  this.timeout(300_000)
  let cluster: LoadedCluster | undefined

  before(async function () {
    const missing = await NetworkLab.whyNot()
    if (missing === undefined) return
    console.warn(`      ${missing}`)
    this.skip()
  })

  afterEach(async function () {
    await cluster?.close(this.currentTest?.state === 'failed')
    cluster = undefined
  })

  it('the leader of an etcd of three killed, again and again: nobody notices who is connected, new clients come in', async () => {
    cluster = await LoadedCluster.start({ etcdMembers: 3 })
    const { lab } = cluster
    await cluster.connectAll()
    for (let round = 0; round < 3; round++) {
      await lab.killEtcdLeader()
      await cluster.progress()
      await cluster.pass(LEASE_TTL_MS)
      for (const nodeId of cluster.nodeIds)
        assert.equal(await lab.metric(nodeId, 'grapevine_cluster_suspended'), 0)
      await cluster.connectAll(index => `n${(index + round + 1) % 3}`)
      await cluster.progress()
      await lab.startEtcd()
      await cluster.allReady()
    }
    await cluster.judge({ isOrderKept: false })
  })

  it('the majority of an etcd of three gone: connected clients go on, and all is well when it is back', async () => {
    cluster = await LoadedCluster.start({ etcdMembers: 3 })
    const { lab } = cluster
    await cluster.connectAll()
    await lab.killEtcdLeader()
    await lab.killEtcdLeader()
    await cluster.pass(2 * LEASE_TTL_MS)
    await cluster.progress()
    await lab.startEtcd()
    await cluster.allReady()
    await cluster.connectAll(index => `n${(index + 1) % 3}`)
    await cluster.judge({ isOrderKept: false })
  })

  it('a full disk: that node says so and stops, the others go on; with room again all is there', async () => {
    cluster = await LoadedCluster.start({ smallDisks: { n1: DISK_BYTES } })
    const { lab, publishers } = cluster
    await cluster.connectAll()
    await cluster.progress()
    const makeRoom = await lab.fillDisk('n1')
    const { code, output } = await lab.ended('n1')
    assert.equal(code, 1)
    assert.match(output, /No space left on device/)
    assert.match(output, /^grapevine: .*check free space/m)
    assert.doesNotMatch(output, /unexpected error/)
    await cluster.progress(300, [...publishers.slice(0, 2), ...publishers.slice(4)])
    await makeRoom()
    await lab.startNode('n1')
    await cluster.connectAll()
    await cluster.progress()
    await cluster.judge()
  })
})
