/**
 * Bugs for the simulator to find, each planted into production objects of a simulated cluster before it begins. They stand
 * for what an engineer might get wrong; the tests say which checker has to notice.
 */
import type { World } from '../../../sim/world/world.ts'

type Plant = (world: World) => void

function forgetCommitted({ nodes }: World): void {
  for (const { disk } of nodes) {
    const crash = disk.crash.bind(disk)
    disk.crash = () => {
      crash()
      for (const key of [...disk.entries.keys()].slice(-20)) disk.entries.delete(key)
    }
  }
}

function forwardNotAll(world: World): void {
  world.onProcess = broker => {
    let count = 0
    const forward = broker.forwarder.forward.bind(broker.forwarder)
    broker.forwarder.forward = (...args) => {
      if (++count % 50 !== 0) forward(...args)
    }
  }
}

function throwSometimes(world: World): void {
  let count = 0
  world.onProcess = broker => {
    const publish = broker.router.publish.bind(broker.router)
    broker.router.publish = (...args) => {
      if (++count === 100) throw new Error('planted')
      publish(...args)
    }
  }
}

export const plantedBugs = {
  'disks forget what they had committed': forgetCommitted,
  'messages to other nodes are acknowledged and not sent': forwardNotAll,
  'production code throws': throwSometimes,
} satisfies Record<string, Plant>

export type PlantedBug = keyof typeof plantedBugs
