/** A capacity calculation as a document: the verdict first, then where it comes from, and what it rests on. */
import { bitsPerSecondText, bytesText, countText, millionsText, percentText } from '../figures.ts'
import type { Constants } from '../constants/constants.ts'
import type { BarChart, Cell, Report, Section, Table } from '../report/report.ts'
import type { CapacityRun, CapacityResult } from './capacity-command.ts'
import { assumptionSection } from './assumption-section.ts'
import { sumOf } from './node-load.ts'
import { structureSection } from './structure-section.ts'
import type { Load, ProfileLoad, Resource, Unit } from './resources.ts'

export function capacityReport({ result, measured }: CapacityRun, constants: Constants): Report {
  const { plan } = result
  const { nodes, clients, subscriptionsPerClient } = plan.workload
  return {
    title: 'Grapevine: capacity',
    subtitle:
      `${nodes} nodes, ${millionsText(clients)} clients, ${millionsText(clients * subscriptionsPerClient)} subscriptions` +
      (result.isComplete ? '' : ' (interrupted: not everything was built)'),
    sections: [
      verdictSection(result),
      wallSection(result),
      memorySection(result),
      profileSection(result),
      structureSection(result, measured),
      eventSection(result),
      assumptionSection(result, constants),
    ],
  }
}

function verdictSection({ plan, loads, walls }: CapacityResult): Section {
  const [load] = loads
  const beyond = walls[0]?.beyond ?? []
  const { nodes } = plan.workload
  return {
    heading: `Verdict at ${millionsText(plan.workload.clients)} clients`,
    prose:
      beyond.length === 0
        ? 'Everything is within its limit. ✓ below 70 % of it, ! below it, ✗ beyond it.'
        : `Beyond their limit: ${beyond.join(', ')}. ✓ below 70 % of a limit, ! below it, ✗ beyond it.`,
    tables: [
      {
        columns: [
          { heading: 'Resource' },
          { heading: 'Per node', isNumeric: true },
          { heading: `${nodes} nodes`, isNumeric: true },
          { heading: 'Limit', isNumeric: true },
          { heading: 'Status' },
          { heading: 'Notes' },
        ],
        rows: (load?.resources ?? []).map(resource => {
          const { name, scope, use, limit, unit, note } = resource
          const all = scope === 'etcd' ? use : use * nodes
          const isAdded = unit !== 'filters' && unit !== 'per 100'
          return [
            name,
            scope === 'etcd' ? '' : figure(use, unit),
            isAdded ? figure(all, unit) : '',
            figure(limit, unit),
            statusCell(resource),
            note,
          ]
        }),
      },
    ],
  }
}

function statusCell({ use, limit, verdict }: Resource): Cell {
  return { text: percentText(use / limit), verdict }
}

function figure(value: number, unit: Unit): string {
  if (unit === 'bytes') return bytesText(value)
  if (unit === 'bits/s') return bitsPerSecondText(value)
  if (unit === 'per second') return `${countText(value)}/s`
  if (unit === 'filters') return millionsText(value)
  if (unit !== 'cores') return countText(value)
  return value === 1 ? '1 core' : `${countText(value)} cores`
}

function wallSection({ loads, walls, fullAt }: CapacityResult): Section {
  const full = fullAt.filter(({ clients }) => clients !== null)
  const [first] = [...full].sort((a, b) => (a.clients ?? 0) - (b.clients ?? 0))
  const lines = walls.map(({ clients, beyond }) =>
    beyond.length === 0
      ? `At ${millionsText(clients)} clients nothing is beyond its limit.`
      : `At ${millionsText(clients)} clients the first wall is ${beyond[0]}${beyond.length > 1 ? `, then ${beyond.slice(1).join(', ')}` : ''}.`,
  )
  const bases = loads.map(
    ({ clients, structures }) => `${millionsText(clients)}: ${basisText[structures.basis]}`,
  )
  const rows = (loads[0]?.resources ?? []).map((resource, index): Cell[] => {
    const at = fullAt[index]?.clients ?? null
    const cells = loads.map(({ resources }): Cell => {
      const there = resources[index]
      return there === undefined ? '' : { text: figure(there.use, there.unit), verdict: there.verdict }
    })
    return [
      resource.name,
      ...cells,
      figure(resource.limit, resource.unit),
      at === null ? 'never' : millionsText(at),
    ]
  })
  const table: Table = {
    caption: 'Per node, etcd as a whole; full at: so many clients, everything else as it is.',
    columns: [
      { heading: 'Resource' },
      ...loads.map(({ clients }) => ({ heading: millionsText(clients), isNumeric: true })),
      { heading: 'Limit', isNumeric: true },
      { heading: 'Full at', isNumeric: true },
    ],
    rows,
  }
  const firstWall =
    first === undefined
      ? ''
      : `With growing numbers the first to be full is ${first.resource}, at ${millionsText(first.clients ?? 0)} clients.\n`
  return {
    heading: 'Where the walls are',
    prose: `${firstWall}${lines.join('\n')}\nRouting structures: ${bases.join('; ')}.`,
    tables: [table],
    charts: [
      {
        kind: 'bars',
        title: 'Use of each limit',
        categories: loads.map(({ clients }) => `${millionsText(clients)} clients`),
        y: { label: '% of the limit', isLogarithmic: true },
        series: (loads[0]?.resources ?? []).map(({ name }, index) => ({
          name,
          values: loads.map(({ resources }) => share(resources[index])),
        })),
        limits: [{ value: 100, label: 'limit' }],
      },
    ],
  }
}

const basisText = {
  built: 'built at full size',
  'filter built': 'one node’s filter built at full size, the rest by arithmetic',
  extrapolated: 'by arithmetic alone',
} as const

function share(resource: Resource | undefined): number {
  return resource === undefined ? 0 : (100 * resource.use) / resource.limit
}

const memoryNames = {
  clients: 'connected clients, with one subscription',
  kernel: 'the kernel’s buffers for them',
  subscriptions: 'further subscriptions: sessions and local index',
  remoteTable: 'bloom filters of the other nodes',
  remotePatterns: 'wildcards and groups of the other nodes',
  ownFilter: 'own counting bloom filter',
  queued: 'messages waiting in sessions',
  retained: 'retained messages',
} as const

function memorySection({ loads }: CapacityResult): Section {
  const names = Object.keys(memoryNames) as (keyof typeof memoryNames)[]
  const chart: BarChart = {
    kind: 'bars',
    title: 'Memory of a node',
    categories: loads.map(({ clients }) => `${millionsText(clients)} clients`),
    y: { label: 'GB' },
    isStacked: true,
    series: names.map(name => ({
      name: memoryNames[name],
      values: loads.map(({ memory }) => memory[name] / 1e9),
    })),
  }
  return {
    heading: 'Memory of a node',
    prose:
      'All but the bloom filters and the kernel’s is heap or buffers of one process: V8’s own limit must be raised with --max-old-space-size.',
    tables: [
      {
        columns: [
          { heading: 'For' },
          ...loads.map(({ clients }) => ({ heading: millionsText(clients), isNumeric: true })),
        ],
        rows: [
          ...names.map(name => [memoryNames[name], ...loads.map(({ memory }) => bytesText(memory[name]))]),
          ['together', ...loads.map(({ memory }) => bytesText(sumOf(memory)))],
        ],
      },
    ],
    charts: [chart],
  }
}

function profileSection({ loads, plan }: CapacityResult): Section {
  const [load] = loads
  const { reconnectMinutes, stormMinutes } = plan.workload
  const row = (name: string, of: (load: ProfileLoad) => string): string[] => [
    name,
    ...(load?.profiles ?? []).map(of),
  ]
  const rate = (name: string, of: (load: ProfileLoad) => number): string[] =>
    row(name, profile => `${countText(of(profile))}/s`)
  const nodes = plan.workload.nodes
  return {
    heading: 'Ways of reconnecting',
    prose:
      `sticky: once in ${countText(reconnectMinutes)} minutes, to the node that has the session, which writes nothing where it outlives ` +
      `connections · hourly: once in ${countText(reconnectMinutes)} minutes, anywhere · storm: once in ${countText(stormMinutes)} minutes, anywhere.`,
    tables: [
      {
        columns: [
          { heading: 'Of the cluster' },
          ...(load?.profiles ?? []).map(({ profile }) => ({ heading: profile, isNumeric: true })),
        ],
        rows: [
          rate('connects', ({ coordination }) => coordination.connectsPerSecond),
          rate('sessions that move', ({ coordination }) => coordination.movesPerSecond),
          rate('claims', ({ coordination }) => coordination.claimsPerSecond),
          rate('releases', ({ coordination }) => coordination.releasesPerSecond),
          row('etcd history, an hour', ({ coordination }) => bytesText(coordination.historyBytesPerHour)),
          row('… kept at most, compacted every 5 minutes', ({ coordination }) =>
            bytesText(coordination.historyBytes),
          ),
          row('etcd database', ({ coordination }) => bytesText(coordination.databaseBytes)),
          rate('changes of interest', ({ gossip }) => gossip.changesPerSecond),
          rate('batches of them', ({ gossip }) => gossip.batchesPerSecond),
          row('they go by', ({ gossip }) => gossip.way),
          rate('copies a node sends', ({ gossip }) => gossip.copiesPerSecond),
          row('… in bytes', ({ gossip }) => `${bytesText(gossip.bytesPerSecond)}/s`),
          rate('messages published', ({ traffic }) => traffic.publishes * nodes),
          rate('forwards', ({ traffic }) => traffic.forwards * nodes),
          rate('forwards nobody wanted', ({ traffic }) => traffic.wasted * nodes),
          ...processorRows(load),
        ],
      },
    ],
  }
}

function processorRows(load: Load | undefined): string[][] {
  const profiles = load?.profiles ?? []
  const uses = Object.keys(profiles[0]?.processor ?? {}) as (keyof ProfileLoad['processor'])[]
  return [
    ...uses.map(use => [
      `cores of a node: ${use}`,
      ...profiles.map(({ processor }) => countText(processor[use])),
    ]),
    ['cores of a node, together', ...profiles.map(({ processor }) => countText(sumOf(processor)))],
  ]
}

function eventSection({ store, plan, loads }: CapacityResult): Section {
  const { nodes } = plan.workload
  const [load] = loads
  const snapshot = load === undefined ? 0 : ((nodes - 1) * 2 ** load.structures.bits) / 8
  return {
    heading: 'What etcd holds, and what happens when nodes come and go',
    tables: [
      {
        columns: [{ heading: 'What' }, { heading: 'How much' }],
        rows: [
          [
            'session records',
            `${countText(store.records)} of ${store.recordBytes} B, key and value, before what etcd adds`,
          ],
          [
            'keys on leases',
            `${countText(store.leaseKeys)}: members and the leader; no session is, so no revocation stalls etcd`,
          ],
          [
            'changes of members told to all nodes, at most',
            `${countText(store.watchEventsPerSecond)}/s; nobody watches sessions`,
          ],
          [
            'a node dies: its sessions are claimed elsewhere in, at least',
            `${countText(store.deathTakeoverSeconds)} s`,
          ],
          ['a node joins: bloom filters it is sent', bytesText(snapshot)],
        ],
      },
    ],
  }
}
