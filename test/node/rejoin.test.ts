import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimDataDir, dataDirId } from '../../src/node/data-dir.ts'
import { LevelStore } from '../../src/storage/level-store.ts'
import { StoreEpochMemory } from '../../src/storage/store-epoch-memory.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import { LEASE_TTL_MS, SimCluster, type SimNode } from '../coordination/support/sim-cluster.ts'
import { silentLogger } from '../support/silent-logger.ts'

/** A data directory in use by one process. */
interface OpenDir {
  readonly dataDirId: string
  readonly epochMemory: StoreEpochMemory
  close(): Promise<void>
}

describe('A node killed and started again on a real data directory', () => {
  let parent: string
  let cluster: SimCluster
  const opened: OpenDir[] = []

  const open = async (name: string): Promise<OpenDir> => {
    const dir = join(parent, name)
    await claimDataDir(dir, { cluster: 'test', node: 'a', coordination: 'etcd' })
    const options = { sync: 'batch', syncIntervalMs: 10, clock: new SystemClock() } as const
    const store = await LevelStore.open({ dir: join(dir, 'store'), ...options })
    let closing: Promise<void> | undefined
    const disk = {
      dataDirId: await dataDirId(dir),
      epochMemory: new StoreEpochMemory(store, silentLogger),
      close: () => (closing ??= store.flush().then(() => store.close())),
    }
    opened.push(disk)
    return disk
  }

  /** Real files answer in their own time, the cluster in simulated time. */
  const joined = async (disk: OpenDir): Promise<SimNode> => {
    const node = cluster.create('a', disk)
    let isSettled = false
    const settle = (): void => void (isSettled = true)
    const joining = node.join()
    joining.then(settle, settle)
    while (!isSettled) {
      await new Promise(resolve => setImmediate(resolve))
      await cluster.advance(1)
    }
    await joining
    return node
  }

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'grapevine-rejoin-'))
    cluster = new SimCluster()
  })
  afterEach(async () => {
    for (const disk of opened.splice(0)) await disk.close()
    await rm(parent, { recursive: true })
  })

  it('joins at once, and has its sessions', async () => {
    const disk = await open('data')
    const first = await joined(disk)
    const answer = await cluster.settled(first.claim('x', { expiryIntervalSeconds: 3600 }))
    assert.ok(answer.status === 'claimed')
    await first.kill()
    await disk.close()
    const beganMs = cluster.clock.now()
    const second = await joined(await open('data'))
    assert.ok(cluster.clock.now() - beganMs < LEASE_TTL_MS / 2, 'it did not wait for the lease')
    assert.ok(second.coordinator.incarnation > first.coordinator.incarnation)
    const again = await cluster.settled(second.claim('x', { expiryIntervalSeconds: 3600 }))
    assert.ok(again.status === 'claimed')
    assert.deepEqual(again.resumableToken, answer.token)
  })

  it('waits on a copy of it: the original may be in use on another machine', async () => {
    const disk = await open('data')
    await joined(disk)
    await disk.close()
    await cp(join(parent, 'data'), join(parent, 'copy'), { recursive: true })
    await assert.rejects(joined(await open('copy')), { code: 'NODE_ID_TAKEN' })
  }).timeout(20_000)
})
