import assert from 'node:assert/strict'
import { runChaos } from '../../sim/chaos/chaos-run.ts'
import type { World } from '../../sim/world/world.ts'

/** Names of the checkers that complain about a run of well-behaved code but for what `tamper` does to it. */
async function complaints(seed: number, tamper: (world: World) => void): Promise<ReadonlySet<string>> {
  const { violations } = await runChaos({ seed, nodes: 3, minutes: 1, isRoaming: false }, tamper)
  return new Set(violations.map(({ checker }) => checker))
}

describe('A bug planted in a simulated cluster', () => {
  it('is found when disks forget what they had committed', async () => {
    const found = await complaints(5, world => {
      for (const { disk } of world.nodes) {
        const crash = disk.crash.bind(disk)
        disk.crash = () => {
          crash()
          for (const key of [...disk.entries.keys()].slice(-20)) disk.entries.delete(key)
        }
      }
    })
    assert.ok(found.has('acknowledged-means-kept') || found.has('session-present'), [...found].join())
  })

  it('is found when messages to other nodes are acknowledged and not sent', async () => {
    const found = await complaints(9, world => {
      world.onProcess = broker => {
        let count = 0
        const forward = broker.forwarder.forward.bind(broker.forwarder)
        broker.forwarder.forward = (...args) => {
          if (++count % 50 !== 0) forward(...args)
        }
      }
    })
    assert.ok(found.has('acknowledged-means-kept'), [...found].join())
  })

  it('is found when production code throws', async () => {
    const found = await complaints(9, world => {
      let count = 0
      world.onProcess = broker => {
        const publish = broker.router.publish.bind(broker.router)
        broker.router.publish = (...args) => {
          if (++count === 100) throw new Error('planted')
          publish(...args)
        }
      }
    })
    assert.ok(found.has('comes-to-rest'), [...found].join())
  })
})
