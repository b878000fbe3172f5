import assert from 'node:assert/strict'
import { capacityPlan, type CapacityPlan } from '../../../sim/capacity/capacity-plan.ts'
import { coordinationLoad } from '../../../sim/capacity/coordination-load.ts'
import { gossipLoad } from '../../../sim/capacity/gossip-load.ts'
import {
  expectedStructures,
  nodeDisk,
  nodeMemory,
  nodeProcessor,
  nodeTraffic,
} from '../../../sim/capacity/node-load.ts'
import { loadOf } from '../../../sim/capacity/resources.ts'
import { shippedConstants, type ConstantName, type Constants } from '../../../sim/constants/constants.ts'

const plan = (flags: Readonly<Record<string, string>> = {}): CapacityPlan =>
  capacityPlan(new Map(Object.entries(flags)))

/** The shipped constants with some values in their place. */
function constantsWith(values: Partial<Record<ConstantName, number>>): Constants {
  const changed = Object.entries(values).map(([name, value]) => [
    name,
    { value, origin: 'assumed', how: 'a test' },
  ])
  return {
    ...shippedConstants,
    values: { ...shippedConstants.values, ...(Object.fromEntries(changed) as object) },
  }
}

/** Equal to three digits. */
function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual / expected - 1) < 0.005, `${actual} is not about ${expected}`)
}

describe('capacity arithmetic', () => {
  const records = constantsWith({ 'etcd.bytesPerRecordOnDisk': 150, 'etcd.bytesPerRecordInMemory': 1000 })

  it('has 10 million records of 150 B at 1.5 GB of database and 10 GB of memory', () => {
    const { databaseBytes, memoryBytes } = coordinationLoad(plan().workload, 'sticky', records)
    near(databaseBytes, 1.5e9)
    near(memoryBytes, 10e9)
  })

  it('has 20,000 rewrites a second of 150 B at 11 GB of history an hour', () => {
    // So many minutes that (nodes - 1) / nodes of the clients make 20,000 moves a second.
    const workload = { ...plan().workload, reconnectMinutes: (10e6 * 0.95) / 20_000 / 60 }
    const { claimsPerSecond, historyBytesPerHour } = coordinationLoad(workload, 'hourly', records)
    near(claimsPerSecond, 20_000)
    near(historyBytesPerHour, 10.8e9)
  })

  it('has 5 million exact filters per node in one table of 2^26 words, 268 MB', () => {
    const { workload } = plan({ 'wildcard-share': '0', 'shared-share': '0' })
    const { exactFiltersPerNode, bits, tableBytes } = expectedStructures(workload)
    assert.equal(exactFiltersPerNode, 5_000_000)
    assert.equal(bits, 26)
    assert.equal(tableBytes, 268_435_456)
  })

  it('has 2,800 connects a second at one an hour and client, 16,700 at one in ten minutes', () => {
    near(coordinationLoad(plan().workload, 'hourly', records).connectsPerSecond, 2778)
    near(coordinationLoad(plan().workload, 'storm', records).connectsPerSecond, 16_667)
  })

  it('writes nothing for a client that comes back to the node that has its session', () => {
    assert.equal(coordinationLoad(plan().workload, 'sticky', records).claimsPerSecond, 0)
    const { workload } = plan({ 'persistent-share': '0' })
    const { claimsPerSecond, releasesPerSecond } = coordinationLoad(workload, 'sticky', records)
    near(claimsPerSecond, 2778)
    assert.equal(claimsPerSecond, releasesPerSecond)
  })

  it('has 500,000 connections of 21 KB at 10.5 GB a node', () => {
    const { workload, limits } = plan({ 'kernel-bytes-per-connection': '8000' })
    const constants = constantsWith({ 'node.bytesPerIdleClient': 13_000 })
    const { clients, kernel } = nodeMemory(workload, limits, expectedStructures(workload), constants)
    near(clients + kernel, 10.5e9)
  })

  it('has a message of 1 KB a minute and client at 66 Mbit/s a node, and 20 more for other nodes', () => {
    const structures = { ...expectedStructures(plan().workload), wastedPerMessage: 0 }
    const { publishes, forwards, bytesIn } = nodeTraffic(plan().workload, structures)
    near(publishes, 8333)
    near(forwards, 2500)
    near(bytesIn * 8, 66.7e6 + 20e6)
  })

  it('has 50,000 sessions with ten messages of 1 KB at 500 MB of disk a node, sessions of 5 KB at 2.5 GB', () => {
    const constants = constantsWith({
      'disk.bytesPerQueuedMessage': 256,
      'disk.bytesPerSession': 500,
      'disk.bytesPerSubscription': 500,
    })
    const { queued, sessions } = nodeDisk(plan().workload, constants)
    near(queued ?? 0, 500e6)
    near(sessions ?? 0, 2.5e9)
  })

  it('has 10 million retained messages, 3 of 10 large and on two of 20 nodes, at 650 B of payload each and a cache', () => {
    const constants = constantsWith({ 'node.bytesPerRetained': 0 })
    const retained = (flags: Readonly<Record<string, string>>): number => {
      const { workload, limits } = plan(flags)
      return nodeMemory(workload, limits, expectedStructures(workload), constants).retained
    }
    near(retained({}), 6.5e9 + 64 * 2 ** 20)
    near(retained({ nodes: '2', 'nodes-per-forward': '1' }), 33.5e9)
    near(retained({ 'retained-large-bytes': '1024' }), 6.57e9 + 64 * 2 ** 20)
  })

  it('has 2,500 forwards a second in as many chunks when there are 19 peers, and in fewer to one peer', () => {
    const constants = constantsWith({
      ...{ 'node.cpuUsPerForwardOut': 1, 'node.cpuUsPerForwardOutAlone': 41 },
      ...{ 'node.cpuUsPerForwardIn': 1, 'node.cpuUsPerForwardInAlone': 61 },
    })
    const forwards = (flags: Readonly<Record<string, string>>): number => {
      const { workload } = plan(flags)
      const coordination = coordinationLoad(workload, 'sticky', constants)
      const gossip = gossipLoad(workload, coordination, constants)
      const structures = { ...expectedStructures(workload), wastedPerMessage: 0 }
      const traffic = nodeTraffic(workload, structures)
      return nodeProcessor(workload, traffic, coordination, gossip, constants).forwards
    }
    const each = 2500 * 102e-6
    const toMany = forwards({})
    assert.ok(toMany <= each && toMany > 0.99 * each, String(toMany))
    const toOne = forwards({ nodes: '2', clients: '1000000', 'distinct-share': '0.001' })
    assert.ok(toOne < 0.99 * toMany && toOne > 0.5 * toMany, String(toOne))
  })

  it('finds etcd full of sessions and their history where the numbers say so', () => {
    const tight = plan({ 'etcd-quota-gb': '1.8', sizes: 'none' })
    const verdictOf = (quota: CapacityPlan): string | undefined =>
      loadOf(quota, records).resources.find(({ name }) => name === 'etcd size (sticky)')?.verdict
    assert.equal(verdictOf(tight), 'bad')
    assert.equal(verdictOf(plan({ 'etcd-quota-gb': '2' })), 'warn')
    assert.equal(verdictOf(plan({ 'etcd-quota-gb': '8' })), 'good')
  })
})
