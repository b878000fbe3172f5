import assert from 'node:assert/strict'
import { capacityPlan, nodeSubscriptions } from '../../../sim/capacity/capacity-plan.ts'

const plan = (flags: Readonly<Record<string, string>>) => capacityPlan(new Map(Object.entries(flags)))

describe('capacityPlan', () => {
  it('is the target of the project when nothing is said', () => {
    const { workload, limits, sizes } = plan({})
    assert.equal(workload.nodes, 20)
    assert.equal(workload.clients * workload.subscriptionsPerClient, 100_000_000)
    assert.equal(nodeSubscriptions(workload).all, 5_000_000)
    assert.equal(limits.etcdQuotaGb, 8)
    assert.deepEqual(sizes, [20_000_000, 50_000_000, 100_000_000])
  })

  it('names every number that is none, at once, each with its flag', () => {
    const flags = {
      nodes: 'many',
      clients: '-3',
      'cross-node-share': '1.5',
      sizes: '1000,x',
      'etcd-quota-gb': '',
    }
    assert.throws(
      () => plan(flags),
      (error: Error) =>
        Object.keys(flags).every(flag => error.message.includes(`--${flag}:`)) &&
        error.message.includes('a whole number from 2 to 1,024'),
    )
  })

  it('refuses what contradicts itself, all of it', () => {
    const flags = {
      nodes: '5',
      clients: '4',
      'nodes-per-forward': '5',
      'wildcard-share': '0.6',
      'shared-share': '0.6',
      'shared-groups': '0',
    }
    assert.throws(
      () => plan(flags),
      (error: Error) =>
        error.message.includes('4 clients leave some of 5 nodes without any') &&
        error.message.includes('there are only 4 other nodes, not 5') &&
        error.message.includes('more than all subscriptions') &&
        error.message.includes('--shared-groups: 0, though --shared-share is 0.6') &&
        error.message.includes(
          '--wildcard-filters: 50000 different ones need more than the 24 subscriptions',
        ),
    )
  })

  it('sorts further sizes and leaves out the workload’s own', () => {
    assert.deepEqual(
      plan({ sizes: '300000000,10000000,200000000,200000000' }).sizes,
      [200_000_000, 300_000_000],
    )
    assert.deepEqual(plan({ sizes: 'none' }).sizes, [])
  })
})
