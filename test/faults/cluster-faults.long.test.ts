import assert from 'node:assert/strict'
import { deliveryViolations } from '../durability/delivery-checker.ts'
import { LoadPublisher } from '../durability/load-publisher.ts'
import { LoadSubscriber } from '../durability/load-subscriber.ts'
import { NetworkLab } from '../support/network-lab.ts'
import { ClusterLab } from './cluster-lab.ts'

const LEASE_TTL_MS = 3000
const coordination = { leaseTtlMs: LEASE_TTL_MS, renewIntervalMs: 600, leaseMarginMs: 500 }
const nodeIds = ['n0', 'n1', 'n2']

/** The rows of DESIGN section 5 that take longer, each under load, judged by what publishers were told and subscribers got. */
describe('a cluster of three under load and faults', function () {
  this.timeout(300_000)
  let lab: ClusterLab
  let publishers: LoadPublisher[]
  let subscribers: LoadSubscriber[]

  before(async function () {
    const missing = await NetworkLab.whyNot()
    if (missing === undefined) return
    console.warn(`      ${missing}`)
    this.skip()
  })

  beforeEach(async () => {
    lab = await ClusterLab.start(3, {
      coordination,
      storage: { sync: 'always' },
      queues: { sessionMessagesMax: 1_000_000, sessionBytesMax: 2 ** 32 },
    })
    publishers = nodeIds.flatMap((_, index) => [
      new LoadPublisher({
        name: `p1-${index}`,
        topic: `load/${index}/1`,
        qos: 1,
        version: 4,
        mayBeRefused: true,
      }),
      new LoadPublisher({
        name: `p2-${index}`,
        topic: `load/${index}/2`,
        qos: 2,
        version: 5,
        mayBeRefused: true,
      }),
    ])
    subscribers = nodeIds.map(
      (_, index) => new LoadSubscriber('load/#', { name: `s-${index}`, mayBeRefused: true }),
    )
  })

  afterEach(async function () {
    for (const client of [...publishers, ...subscribers]) client.drop()
    if (this.currentTest?.state === 'failed') console.error(lab.output)
    await lab.close()
  })

  /** Connects each client to its own node, or to `elsewhere`, as often as it takes. */
  async function connectAll(whereOf: (index: number) => string): Promise<void> {
    const connect = async (client: LoadPublisher | LoadSubscriber, index: number): Promise<void> => {
      await lab.until(`a client is taken by ${whereOf(index)}`, async () => {
        return (await client.connect(lab.node(whereOf(index)).mqtt)) === 0
      })
    }
    await Promise.all(subscribers.map(connect))
    await Promise.all(publishers.map((publisher, i) => connect(publisher, Math.floor(i / 2))))
  }

  const own = (index: number): string => `n${index % 3}`
  const next = (index: number): string => `n${(index + 1) % 3}`
  const acknowledged = (): number =>
    publishers.reduce((sum, { history }) => sum + history.acknowledged.size, 0)

  async function progress(count = 300): Promise<void> {
    const from = acknowledged()
    await lab.until(`${count} more are acknowledged`, () => acknowledged() > from + count)
  }

  async function allReady(): Promise<void> {
    for (const nodeId of nodeIds) await lab.ready(nodeId)
  }

  /**
   * Nothing that was acknowledged is missing at any subscriber, nothing doubled at QoS 2, nothing out of order. Order is not
   * asked for where publishers change their node while another one still catches up (ARCHITECTURE, known limits).
   */
  async function judge({ isOrderKept = true } = {}): Promise<void> {
    await Promise.all(publishers.map(publisher => publisher.finish()))
    const histories = publishers.map(({ history }) => history)
    const expected = acknowledged()
    const isComplete = (): boolean =>
      subscribers.every(subscriber => subscriber.isSettled && new Set(subscriber.deliveries).size >= expected)
    await lab.until('the last deliveries', isComplete, 30_000).catch(() => {
      // The violations say what is missing.
    })
    const violations = [...publishers, ...subscribers].flatMap(client => [...client.violations])
    subscribers.forEach(({ deliveries }, index) => {
      for (const violation of deliveryViolations(histories, deliveries))
        violations.push(`s-${index}: ${violation}`)
    })
    const counted = violations.filter(violation => isOrderKept || !violation.includes('reordered: '))
    assert.deepEqual(counted.slice(0, 20), [])
  }

  it('brokers cut from each other, etcd reachable: nothing acknowledged is lost, and it heals', async () => {
    await connectAll(own)
    await progress()
    await lab.network.cut('n0', 'n1')
    await progress()
    await new Promise(resolve => setTimeout(resolve, 12_000))
    await progress()
    await lab.network.heal('n0', 'n1')
    await allReady()
    await judge()
  })

  it('one node cut from etcd, mesh whole: its clients go on', async () => {
    await connectAll(own)
    await lab.network.cut('n1', 'etcd')
    await new Promise(resolve => setTimeout(resolve, 4 * LEASE_TTL_MS))
    await progress()
    await lab.network.heal('n1', 'etcd')
    await allReady()
    await judge()
  })

  it('one node cut from etcd and everybody: it stops acknowledging, and comes back by itself', async () => {
    await connectAll(own)
    await progress()
    for (const other of ['etcd', 'n0', 'n2']) await lab.network.cut('n1', other)
    await new Promise(resolve => setTimeout(resolve, LEASE_TTL_MS + 1000))
    const island = publishers.slice(2, 4)
    const before = island.map(({ history }) => history.acknowledged.size)
    await new Promise(resolve => setTimeout(resolve, LEASE_TTL_MS))
    assert.deepEqual(
      island.map(({ history }) => history.acknowledged.size),
      before,
    )
    for (const other of ['etcd', 'n0', 'n2']) await lab.network.heal('n1', other)
    await allReady()
    await connectAll(own)
    await judge()
  })

  it('etcd comes back empty: everybody registers again and nobody is lost', async () => {
    await connectAll(own)
    await progress()
    await lab.emptyEtcd()
    await lab.startEtcd()
    await progress()
    await lab.until('all are members again', async () => {
      const answers = await Promise.all(nodeIds.map(nodeId => lab.get(nodeId, '/cluster/status')))
      return answers.every(
        ({ body }) => body !== '' && (JSON.parse(body) as { members: unknown[] }).members.length === 3,
      )
    })
    await allReady()
    await connectAll(next)
    await progress()
    await judge({ isOrderKept: false })
  })

  it('all nodes killed at once: acknowledged means kept', async () => {
    await connectAll(own)
    await progress()
    await Promise.all(nodeIds.map(nodeId => lab.kill(nodeId)))
    await Promise.all(nodeIds.map(nodeId => lab.startNode(nodeId)))
    await connectAll(own)
    await progress()
    await judge()
  })

  it('sessions moving between nodes under load, over and over', async () => {
    await connectAll(own)
    for (let round = 1; round <= 6; round++) {
      await progress(100)
      await connectAll(index => `n${(index + round) % 3}`)
    }
    await judge()
  })

  it('a node killed and restarted while its clients wait, then move', async () => {
    await connectAll(own)
    for (const nodeId of nodeIds) {
      await progress(100)
      await lab.kill(nodeId)
      await lab.startNode(nodeId)
      await connectAll(next)
      await progress(100)
      await connectAll(own)
    }
    await judge({ isOrderKept: false })
  })

  it('rolling restart by SIGTERM: sessions move away and back, nothing is lost', async () => {
    await connectAll(own)
    for (const nodeId of nodeIds) {
      await progress(100)
      const index = nodeIds.indexOf(nodeId)
      const stopped = lab.stop(nodeId)
      const elsewhere = (client: number): string => (client % 3 === index ? next(client) : own(client))
      await connectAll(elsewhere)
      assert.equal(await stopped, 0)
      await lab.startNode(nodeId)
      await connectAll(own)
    }
    await judge({ isOrderKept: false })
  })
})
