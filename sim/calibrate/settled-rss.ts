import { quietRss } from '../../bench/scenarios/idle-memory-scenario.ts'
import type { StartedNode } from '../../bench/peers/grapevine.ts'
import { pause } from './lab.ts'
import { residentBytes } from './process-memory.ts'

/** V8 keeps emptied pages for some eight seconds after a collection: tens of MiB, which what comes next would fill unseen. */
const POOL_KEPT_MS = 11_000

/** Bytes of resident memory of each node, garbage collected and given back to the system. */
export async function settledRss(nodes: readonly StartedNode[]): Promise<number[]> {
  await Promise.all(nodes.map(node => quietRss(node)))
  await pause(POOL_KEPT_MS)
  return nodes.map(({ pid }) => residentBytes(pid))
}
