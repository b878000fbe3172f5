import { readFileSync } from 'node:fs'
import type { RunningBroker } from '../peers/broker-peer.ts'
import type { Scenario } from './scenario.ts'

const clients = 15_000
/** A first crowd comes and goes, so that code and pools that any client needs are not charged to the second. */
const warmupClients = 200

/** The memory is quiet when it moved by less than this between two looks. */
const quietKiB = 256
const lookMs = 400
const looksMax = 25

const metrics: Scenario['metrics'] = [
  { key: 'kibPerClient', title: 'per client', unit: 'KiB', better: 'lower' },
  { key: 'rssBeforeMib', title: 'RSS before', unit: 'MiB' },
  { key: 'rssAfterMib', title: 'RSS with clients', unit: 'MiB' },
]

/** Process memory (RSS, garbage collected) that idle clients cost, each with a session and one subscription. */
export const idleMemoryScenarios: readonly Scenario[] = [
  idleMemory('idle-memory', 'Memory of idle clients', true, [{ kind: 'at-most', value: 6 }]),
  idleMemory('idle-memory-persistent', 'Memory of idle clients, persistent sessions', false),
]

function idleMemory(
  id: string,
  title: string,
  cleanSession: boolean,
  budgets: Scenario['budgets'] = [],
): Scenario {
  const sessions = cleanSession ? 'clean' : 'persistent'
  return {
    id,
    title,
    description: `${clients} idle clients with ${sessions} sessions and one subscription each; bare sockets beside them`,
    metrics,
    budgets,
    against: 'both',
    openFiles: clients + 200,
    async measure({ broker, load, target }) {
      const warmup = { clients: warmupClients, crowd: 'warm-up', cleanSession }
      await load.request({ kind: 'idle-open', spec: warmup, target })
      await load.request({ kind: 'idle-close' })
      const before = await quietRss(broker)
      await load.request({ kind: 'idle-open', spec: { clients, crowd: 'idle', cleanSession }, target })
      const after = await quietRss(broker)
      await load.request({ kind: 'idle-close' })
      return {
        metrics: {
          kibPerClient: (after - before) / clients,
          rssBeforeMib: before / 1024,
          rssAfterMib: after / 1024,
        },
      }
    },
  }
}

/** RSS in KiB once it stands still, garbage collected where the broker lets us. */
export async function quietRss(broker: Pick<RunningBroker, 'pid' | 'collectGarbage'>): Promise<number> {
  let last = Number.POSITIVE_INFINITY
  for (let look = 0; look < looksMax; look++) {
    broker.collectGarbage()
    await new Promise(resolve => setTimeout(resolve, lookMs))
    const now = rssKiB(broker.pid)
    if (look >= 3 && Math.abs(now - last) < quietKiB) return now
    last = now
  }
  return last
}

function rssKiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1])
}
