/**
 * Which faults befall a run, decided before it begins from the seed alone: a list that can be printed, and shortened to find
 * what matters.
 */
import type { NodeId } from '../../src/core/ids.ts'
import type { Random } from '../../src/core/ports/random.ts'

/** Times are virtual ms; every fault ends. */
export type Fault = { readonly atMs: number; readonly durationMs: number } & (
  | { readonly kind: 'kill' | 'stop' | 'suspend' | 'disk-full' | 'disk-slow'; readonly node: NodeId }
  | {
      readonly kind: 'store-cut' | 'store-deaf' | 'store-mute' | 'store-reconnect' | 'clients-cut'
      readonly node: NodeId
    }
  | { readonly kind: 'partition' | 'one-way' | 'slow-link'; readonly node: NodeId; readonly other: NodeId }
  | { readonly kind: 'isolate'; readonly node: NodeId }
  | { readonly kind: 'clock-jump'; readonly node: NodeId; readonly byMs: number }
  | { readonly kind: 'store-down' | 'store-compacts' | 'kill-all' }
)

export type FaultKind = Fault['kind']

/** How often each kind is drawn, relative to the others, and how long it lasts: from, to, in ms. */
const kinds: readonly (readonly [kind: FaultKind, weight: number, fromMs: number, toMs: number])[] = [
  ['kill', 10, 50, 20_000],
  ['kill-all', 1, 50, 3000],
  ['stop', 8, 500, 25_000],
  ['suspend', 4, 500, 25_000],
  ['partition', 8, 500, 20_000],
  ['one-way', 6, 500, 20_000],
  ['slow-link', 5, 1000, 10_000],
  ['isolate', 4, 500, 25_000],
  ['store-cut', 6, 500, 25_000],
  ['store-deaf', 4, 500, 15_000],
  ['store-mute', 3, 500, 15_000],
  ['store-reconnect', 4, 1, 1],
  ['store-down', 4, 500, 25_000],
  ['store-compacts', 4, 1, 1],
  ['clients-cut', 5, 500, 15_000],
  ['clock-jump', 3, 1000, 20_000],
  ['disk-full', 2, 200, 5000],
  ['disk-slow', 4, 1000, 15_000],
]

export function planFaults(
  random: Random,
  {
    nodeIds,
    fromMs,
    toMs,
    meanGapMs,
  }: {
    readonly nodeIds: readonly NodeId[]
    readonly fromMs: number
    readonly toMs: number
    readonly meanGapMs: number
  },
): readonly Fault[] {
  const faults: Fault[] = []
  // Some runs know few kinds, so that each is seen by itself and in every pair.
  const drawn = kinds.filter(() => random.fraction() < 0.5)
  const allowed = drawn.length === 0 ? kinds : drawn
  const total = allowed.reduce((sum, [, weight]) => sum + weight, 0)
  const gap = (): number => -Math.log(1 - random.fraction()) * meanGapMs
  for (let atMs = fromMs + gap(); atMs < toMs; atMs += gap()) {
    let lot = random.fraction() * total
    const [kind, , shortestMs, longestMs] = allowed.find(([, weight]) => (lot -= weight) < 0) ?? allowed[0]!
    const node = nodeIds[random.uint32() % nodeIds.length]
    const others = nodeIds.filter(other => other !== node)
    const other = others[random.uint32() % Math.max(1, others.length)] ?? node
    // Short and long ones alike: the logarithm of the duration is uniform.
    const durationMs = shortestMs * (longestMs / shortestMs) ** random.fraction()
    const byMs = Math.round((random.fraction() < 0.5 ? -1 : 1) * 10 ** (2 + random.fraction() * 4))
    faults.push({ kind, node, other, byMs, atMs, durationMs } as Fault)
  }
  return faults
}

export function describeFault(fault: Fault): string {
  const lasting = ` for ${(fault.durationMs / 1000).toFixed(2)} s`
  switch (fault.kind) {
    case 'partition':
    case 'slow-link':
      return `${fault.kind} ${fault.node} – ${fault.other}${lasting}`
    case 'one-way':
      return `one-way: nothing from ${fault.node} reaches ${fault.other}${lasting}`
    case 'clock-jump':
      return `clock-jump ${fault.node} by ${Math.round(fault.byMs)} ms${lasting}`
    case 'store-down':
    case 'kill-all':
      return `${fault.kind}${lasting}`
    case 'store-compacts':
      return 'store-compacts'
    case 'store-reconnect':
      return `store-reconnect ${fault.node}`
    default:
      return `${fault.kind} ${fault.node}${lasting}`
  }
}
