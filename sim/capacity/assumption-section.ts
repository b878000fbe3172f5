import { countText } from '../figures.ts'
import { constantMeanings, type ConstantName, type Constants } from '../constants/constants.ts'
import { flagOf } from '../parameters.ts'
import type { Section } from '../report/report.ts'
import type { CapacityResult } from './capacity-command.ts'
import { RETAINED_INLINE_BYTES_MAX } from './node-load.ts'

/** Costs and numbers that the whole calculation takes as given. */
export function assumptionSection(
  { plan }: CapacityResult,
  { values, machine, measuredOn }: Constants,
): Section {
  const names = Object.keys(constantMeanings) as ConstantName[]
  const used = names.filter(name => USED.has(name))
  return {
    heading: 'What this rests on',
    prose:
      `Costs of operations: those of ${measuredOn} on ${machine}. Retained payloads above ${RETAINED_INLINE_BYTES_MAX} B are on two ` +
      'nodes each, evenly spread (retained.inlineBytesMax), and every cache of them is full.',
    tables: [
      {
        caption: 'Costs',
        columns: [
          { heading: 'Constant' },
          { heading: 'Value', isNumeric: true },
          { heading: 'Origin' },
          { heading: 'How' },
        ],
        rows: used.map(name => [name, countText(values[name].value), values[name].origin, values[name].how]),
      },
      {
        caption: 'Workload and limits; each is a flag',
        columns: [{ heading: 'Flag' }, { heading: 'Value', isNumeric: true }],
        rows: [
          ...Object.entries(plan.workload),
          ...Object.entries(plan.limits),
          ...Object.entries(plan.run),
        ].map(([name, value]) => [`--${flagOf(name)}`, countText(value)]),
      },
    ],
  }
}

/** Those the calculation reads. */
const USED: ReadonlySet<ConstantName> = new Set<ConstantName>([
  'gossip.cpuUsPerSend',
  'gossip.cpuUsPerReceive',
  'stream.cpuUsPerFrame',
  'etcd.claimsPerSecondBatched',
  'etcd.bytesPerRecordInMemory',
  'etcd.bytesPerRecordOnDisk',
  'node.cpuUsPerPublishAlone',
  'node.cpuUsPerDeliveryAlone',
  'node.cpuUsPerForwardOut',
  'node.cpuUsPerForwardOutAlone',
  'node.cpuUsPerForwardIn',
  'node.cpuUsPerForwardInAlone',
  'node.cpuUsPerConnect',
  'node.cpuUsPerMove',
  'node.cpuUsIdlePerSecond',
  'node.bytesPerIdleClient',
  'node.bytesPerSubscription',
  'node.bytesPerRemotePattern',
  'node.bytesPerRemotePatternNode',
  'node.bytesPerRetained',
  'node.bytesPerQueuedMessage',
  'node.cpuUsPerAppliedChange',
  'disk.bytesPerSession',
  'disk.bytesPerSubscription',
  'disk.bytesPerQueuedMessage',
])
