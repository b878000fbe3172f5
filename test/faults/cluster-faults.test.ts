import assert from 'node:assert/strict'
import { deliveryViolations } from '../durability/delivery-checker.ts'
import { LoadPublisher } from '../durability/load-publisher.ts'
import { LoadSubscriber } from '../durability/load-subscriber.ts'
import { NetworkLab } from '../support/network-lab.ts'
import { ClusterLab } from './cluster-lab.ts'
import { LabClient, type LabClientOptions } from './lab-client.ts'
import {
  openConnections,
  ownershipViolations,
  type OwnerSighting,
  tokenViolations,
} from './ownership-checker.ts'

const LEASE_TTL_MS = 3000
const coordination = { leaseTtlMs: LEASE_TTL_MS, renewIntervalMs: 600, leaseMarginMs: 500 }

type OwnerAnswer = Pick<OwnerSighting, 'nodeId' | 'incarnation' | 'token'>

/** Real processes, a real etcd, real partitions: the rows of DESIGN section 5 that concern coordination. */
describe('a cluster of three under faults', function () {
  this.timeout(180_000)
  let lab: ClusterLab
  let clients: LabClient[]
  let loads: { drop(): void }[]
  let sightings: OwnerSighting[]

  before(async function () {
    const missing = await NetworkLab.whyNot()
    if (missing === undefined) return
    console.warn(`      ${missing}`)
    this.skip()
  })

  beforeEach(async () => {
    clients = []
    loads = []
    sightings = []
    lab = await ClusterLab.start(3, { coordination, storage: { sync: 'always' } })
  })

  afterEach(async function () {
    for (const client of [...clients, ...loads]) client.drop()
    if (this.currentTest?.state === 'failed') console.error(lab.output)
    await lab.close()
  })

  function connect(nodeId: string, options: LabClientOptions): LabClient {
    const client = new LabClient(nodeId, lab.node(nodeId).mqtt, options)
    clients.push(client)
    return client
  }

  /** Connects until the node takes the client. */
  async function persist(nodeId: string, options: LabClientOptions): Promise<LabClient> {
    let client: LabClient | undefined
    await lab.until(`${nodeId} takes ${options.clientId}`, async () => {
      client = connect(nodeId, options)
      const connack = await client.connack
      if (connack?.reasonCode === 0) return true
      client.drop()
      return false
    })
    return client as LabClient
  }

  /** What the nodes that answer say whose it is; `owner`: who has to have it. */
  async function see(clientId: string, owner: string): Promise<void> {
    const asked = ['n0', 'n1', 'n2'].map(async nodeId => {
      const askedAtMs = performance.now()
      const { status, body } = await lab.get(nodeId, `/api/v1/session?clientId=${clientId}`)
      const answer = status === 200 ? (JSON.parse(body) as { owner: OwnerAnswer | null }).owner : null
      return answer === null ? [] : [{ clientId, ...answer, askedAtMs, answeredAtMs: performance.now() }]
    })
    const seen = (await Promise.all(asked)).flat()
    sightings.push(...seen)
    assert.ok(seen.length > 0, `nobody knows whose ${clientId} is`)
    assert.deepEqual([...new Set(seen.map(({ nodeId }) => nodeId))], [owner])
  }

  function checkOwners(): void {
    assert.deepEqual(ownershipViolations(clients.map(({ history }) => history)), [])
    assert.deepEqual(tokenViolations(sightings), [])
  }

  it('serves who is connected through an etcd outage of three leases, and everybody after it', async () => {
    const publisher = new LoadPublisher({ name: 'p', topic: 'load/p', qos: 1, version: 5 })
    const subscriber = new LoadSubscriber('load/#')
    loads.push(publisher, subscriber)
    await subscriber.connect(lab.node('n1').mqtt)
    await publisher.connect(lab.node('n0').mqtt)
    await lab.killEtcd()
    const killedAtMs = performance.now()
    await lab.until('three leases have passed', () => performance.now() - killedAtMs > 3 * LEASE_TTL_MS)
    const before = publisher.history.acknowledged.size
    await lab.until(
      'messages are still acknowledged',
      () => publisher.history.acknowledged.size > before + 100,
    )
    const refused = await connect('n2', { clientId: 'new', expirySeconds: 60 }).connack
    assert.equal(refused?.reasonCode, 0x88, 'new sessions wait for etcd')
    await lab.startEtcd()
    for (const nodeId of ['n0', 'n1', 'n2']) await lab.ready(nodeId)
    await persist('n2', { clientId: 'new', expirySeconds: 60 })
    await publisher.finish()
    const { acknowledged } = publisher.history
    await lab.until('everything is delivered', () => new Set(subscriber.deliveries).size >= acknowledged.size)
    assert.deepEqual([...publisher.violations, ...subscriber.violations], [])
    assert.deepEqual(deliveryViolations([publisher.history], subscriber.deliveries), [])
  })

  it('fires the will of a client whose node is killed, once, and gives its session back when the node returns', async () => {
    const watcher = await persist('n1', { clientId: 'watcher' })
    await watcher.subscribe('will/#')
    const will = { topic: 'will/of', payload: 'gone' }
    const owner = await persist('n0', { clientId: 'kept', clean: false, expirySeconds: 600, will })
    await owner.subscribe('kept/#')
    await persist('n0', { clientId: 'clean', will: { topic: 'will/of', payload: 'clean gone' } })
    await lab.kill('n0')
    const elsewhere = await connect('n1', { clientId: 'kept', clean: false, expirySeconds: 600 }).connack
    assert.equal(elsewhere?.reasonCode, 0x88, 'its state is on the dead node')
    await persist('n2', { clientId: 'clean' })
    await see('clean', 'n2')
    await see('kept', 'n0')
    await lab.until('the will is fired', () => watcher.received.includes('gone'))
    const sender = await persist('n2', { clientId: 'sender' })
    sender.publish('kept/for', 'while it was dead')
    await lab.until('it is kept for the dead node', () => sender.unacknowledgedCount === 0)
    await lab.startNode('n0')
    const back = await persist('n1', { clientId: 'kept', clean: false, expirySeconds: 600 })
    assert.equal((await back.connack)?.sessionPresent, true)
    await lab.until('what was sent meanwhile arrives', () => back.received.includes('while it was dead'))
    assert.equal(watcher.received.filter(payload => payload === 'gone').length, 1)
    await see('kept', 'n1')
    checkOwners()
  })

  it('lets no paused node acknowledge what another owns by then', async () => {
    const paused = await persist('n0', { clientId: 'one' })
    paused.publish('a', '1')
    await lab.until('it works', () => paused.unacknowledgedCount === 0)
    await see('one', 'n0')
    lab.pause('n0')
    const taker = await persist('n1', { clientId: 'one' })
    await see('one', 'n1')
    paused.publish('a', '2')
    lab.resume('n0')
    await lab.until('the paused node closes the old connection', () => !paused.isOpen)
    assert.equal(paused.unacknowledgedCount, 1)
    taker.publish('a', '3')
    await lab.until('the new owner serves', () => taker.unacknowledgedCount === 0)
    await lab.ready('n0')
    await see('one', 'n1')
    checkOwners()
  })

  it('moves sessions between brokers cut from each other over the third, and ends them for a clean start', async () => {
    const kept = { clientId: 'kept', clean: false, expirySeconds: 600 }
    const old = await persist('n0', kept)
    await old.subscribe('kept/#')
    const other = await persist('n0', { clientId: 'other', expirySeconds: 600 })
    old.drop()
    const sender = await persist('n2', { clientId: 'sender' })
    sender.publish('kept/for', 'before')
    await lab.until('it is queued', () => sender.unacknowledgedCount === 0)
    await lab.network.cut('n0', 'n1')
    await lab.until('both have noticed', async () => {
      const missing = await Promise.all(
        ['n0', 'n1'].map(id => lab.metric(id, 'grapevine_cluster_links_missing')),
      )
      return missing.every(count => count === 1)
    })
    await see('kept', 'n0')
    const moved = await persist('n1', kept)
    await see('kept', 'n1')
    assert.equal((await moved.connack)?.sessionPresent, true)
    await lab.until('what was queued arrives', () => moved.received.includes('before'))
    const taker = await persist('n1', { clientId: 'other', clean: true })
    await lab.until('the old connection is closed', () => !other.isOpen)
    assert.equal(other.disconnectCode, 0x8e)
    taker.publish('kept/for', 'after')
    await lab.until('it is served', () => taker.unacknowledgedCount === 0)
    await lab.until('what is sent now arrives', () => moved.received.includes('after'))
    await lab.network.heal('n0', 'n1')
    for (const nodeId of ['n0', 'n1', 'n2']) await lab.ready(nodeId)
    assert.deepEqual(moved.received, ['before', 'after'])
    await see('kept', 'n1')
    await see('other', 'n1')
    checkOwners()
  })

  it('leaves exactly one of any number of racers connected', async () => {
    for (let round = 0; round < 10; round++) {
      for (let racer = 0; racer < 9; racer++)
        connect(`n${racer % 3}`, { clientId: 'racer', expirySeconds: 60 })
    }
    const histories = (): readonly LabClient['history'][] => clients.map(({ history }) => history)
    await Promise.all(clients.map(({ connack }) => connack))
    await persist('n1', { clientId: 'racer', expirySeconds: 60 })
    await lab.until('one is left', () => openConnections(histories(), 'racer').length === 1)
    for (const client of clients) if (client.isOpen) client.publish('a', 'still here')
    await lab.until('it is served', () =>
      clients.every(client => !client.isOpen || client.unacknowledgedCount === 0),
    )
    const [winner = 'nobody', ...others] = openConnections(histories(), 'racer')
    assert.deepEqual(others, [])
    await see('racer', winner)
    checkOwners()
  })
})
