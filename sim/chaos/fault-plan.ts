/**
 * Which faults befall a run, decided before it begins from the seed alone: a list that can be printed, and shortened to find
 * what matters.
 */
import type { NodeId } from '../../src/core/ids.ts'
import type { Random } from '../../src/core/ports/random.ts'

/** Times are virtual ms; every fault ends. */
export type Fault = { readonly atMs: number; readonly durationMs: number } & (
  | {
      readonly kind: 'kill' | 'stop' | 'suspend' | 'isolate' | 'disk-full' | 'disk-slow' | 'disk-rot'
      readonly node: NodeId
    }
  | {
      readonly kind:
        | 'store-cut'
        | 'store-deaf'
        | 'store-mute'
        | 'store-reconnect'
        | 'store-unwatched'
        | 'lease-revoked'
        | 'clients-cut'
      readonly node: NodeId
    }
  | { readonly kind: OperatorAction; readonly node: NodeId }
  | {
      readonly kind: 'partition' | 'one-way' | 'slow-link' | 'clogged-link'
      readonly node: NodeId
      readonly other: NodeId
    }
  | { readonly kind: 'clock-jump'; readonly node: NodeId; readonly byMs: number }
  | {
      readonly kind:
        | 'store-down'
        | 'store-compacts'
        | 'store-elects'
        | 'store-emptied'
        | 'store-restored'
        | 'gossip-storm'
        | 'kill-all'
    }
)

/** What an operator does to a live cluster, which must be no fault at all. */
type OperatorAction = 'mode-set' | 'drain' | 'restart'

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
  ['clogged-link', 4, 1000, 15_000],
  ['isolate', 4, 500, 25_000],
  ['gossip-storm', 4, 1000, 20_000],
  ['store-cut', 6, 500, 25_000],
  ['store-deaf', 4, 500, 15_000],
  ['store-mute', 3, 500, 15_000],
  ['store-reconnect', 4, 1, 1],
  ['store-unwatched', 3, 500, 15_000],
  ['store-down', 4, 500, 25_000],
  ['store-elects', 4, 300, 4000],
  ['store-compacts', 4, 1, 1],
  ['store-emptied', 1, 1, 1],
  ['store-restored', 1, 1, 1],
  ['lease-revoked', 3, 1, 1],
  ['clients-cut', 5, 500, 15_000],
  ['clock-jump', 3, 1000, 20_000],
  ['disk-full', 2, 200, 5000],
  ['disk-slow', 4, 1000, 15_000],
  ['disk-rot', 2, 1000, 15_000],
]

/** In runs with an operator. */
const operatorKinds: typeof kinds = [
  ['mode-set', 25, 200, 20_000],
  ['drain', 15, 500, 20_000],
  ['restart', 15, 1, 1],
]

export function planFaults(
  random: Random,
  {
    nodeIds,
    fromMs,
    toMs,
    meanGapMs,
    isOperated = false,
  }: {
    readonly nodeIds: readonly NodeId[]
    readonly fromMs: number
    readonly toMs: number
    readonly meanGapMs: number
    /** Whether an operator switches modes, drains and restarts nodes meanwhile. */
    readonly isOperated?: boolean | undefined
  },
): readonly Fault[] {
  const faults: Fault[] = []
  // Some runs know few kinds, so that each is seen by itself and in every pair.
  const drawn = kinds.filter(() => random.fraction() < 0.5)
  const allowed = [...(drawn.length === 0 ? kinds : drawn), ...(isOperated ? operatorKinds : [])]
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
  const lasting = fault.durationMs > 1 ? ` for ${(fault.durationMs / 1000).toFixed(2)} s` : ''
  switch (fault.kind) {
    case 'partition':
    case 'slow-link':
    case 'clogged-link':
      return `${fault.kind} ${fault.node} – ${fault.other}${lasting}`
    case 'one-way':
      return `one-way: nothing from ${fault.node} reaches ${fault.other}${lasting}`
    case 'clock-jump':
      return `clock-jump ${fault.node} by ${Math.round(fault.byMs)} ms${lasting}`
    case 'disk-rot':
      return `disk-rot ${fault.node}: a bit of a record flips, and is mended after ${(fault.durationMs / 1000).toFixed(2)} s`
    case 'mode-set':
      return `mode-set on ${fault.node}: to etcd${lasting}, then to gossip`
    case 'restart':
      return `restart ${fault.node}: it drains, stops and starts again`
    case 'store-restored':
      return 'store-restored from the backup made when everything was well'
    case 'store-down':
    case 'store-compacts':
    case 'store-elects':
    case 'store-emptied':
    case 'gossip-storm':
    case 'kill-all':
      return `${fault.kind}${lasting}`
    default:
      return `${fault.kind} ${fault.node}${lasting}`
  }
}
