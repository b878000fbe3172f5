/** Who may import whom: DESIGN section 3, ARCHITECTURE.md "Code map". */
const cores = ['src/mqtt', 'src/storage', 'src/mesh', 'src/listeners', 'gossip', 'coordination', 'routing']

/** A package wherever npm puts it. */
const vendor = names => `node_modules/(${names})/`

const vendors = [
  { names: '@libp2p|@multiformats|libp2p|@chainsafe', only: '^src/mesh/|^gossip/gossipsub-adapter\\.ts$' },
  { names: 'etcd3', only: '^coordination/etcd/' },
  { names: 'level|classic-level|abstract-level', only: '^src/storage/' },
  { names: 'fastify|@fastify|prom-client', only: '^src/(admin|observability)/' },
  { names: 'yargs', only: '^src/cli/' },
  { names: 'mqtt-packet', only: '^src/mqtt/|^sim/clients/' },
  { names: 'ws', only: '^src/listeners/' },
  { names: 'zod', only: '^src/(config|admin)/|^sim/convergence/scenario\\.ts$' },
  { names: 'yaml', only: '^src/(config|cli)/' },
  { names: 'pino|pino-pretty|@opentelemetry', only: '^src/observability/' },
  { names: 'd3-scale', only: '^sim/report/page/scale\\.ts$' },
]

/** The files that may know adapters and put them together. */
const wiring = '^src/node/(create-node|shared-coordination)\\.ts$'
const adapters =
  '^src/(storage|mesh|listeners|admin|system|config|observability|cli)/|^coordination/(etcd|embedded)/|^gossip/gossipsub-adapter\\.ts$'

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two modules that need each other are one module, or hide a third.',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'core-is-a-leaf',
      severity: 'error',
      comment: 'src/core imports nothing of ours, no package and no node: module.',
      from: { path: '^src/core/' },
      to: { pathNot: '^src/core/' },
    },
    ...cores.map(folder => ({
      name: `${folder.replace('src/', '')}-stands-alone`,
      severity: 'error',
      comment: `${folder} imports src/core and itself; folders meet in src/node.`,
      from: { path: `^${folder}/` },
      to: { pathNot: `^${folder}/|^src/core/|node_modules`, dependencyTypesNot: ['core'] },
    })),
    {
      name: 'cores-without-node',
      severity: 'error',
      comment: 'Cores run in a simulator: what they need of the world comes through ports.',
      from: {
        path: '^(src/mqtt|routing|gossip|coordination)/',
        pathNot: '^coordination/(etcd|embedded)/|^gossip/gossipsub-adapter\\.ts$',
      },
      // `buffer` only computes (isUtf8).
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?buffer$' },
    },
    {
      name: 'only-wiring-knows-adapters',
      severity: 'error',
      comment:
        'broker-node.ts and its neighbours take ports; create-node.ts and shared-coordination.ts bring adapters.',
      from: { path: '^src/node/', pathNot: wiring },
      to: { path: adapters },
    },
    {
      name: 'operators-side-below-nodes',
      severity: 'error',
      comment: 'Configuration, admin and logging know ports only; src/cli alone starts nodes.',
      from: { path: '^src/(admin|config|observability|system)/' },
      to: { path: '^src/(node|cli|mqtt|mesh|storage|listeners)/|^(gossip|coordination|routing)/' },
    },
    {
      name: 'cli-through-node',
      severity: 'error',
      comment: 'The command line starts nodes through src/node.',
      from: { path: '^src/cli/' },
      to: { path: '^src/(mqtt|mesh|storage|listeners)/|^(gossip|coordination|routing)/' },
    },
    {
      name: 'production-without-laboratory',
      severity: 'error',
      comment: 'Production never imports sim, test or bench; src/cli may load them on demand.',
      from: { path: '^(src|gossip|coordination|routing)/', pathNot: '^src/cli/' },
      to: { path: '^(sim|test|bench)/' },
    },
    {
      name: 'cli-loads-laboratory-on-demand',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^(sim|test|bench)/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'sim-without-adapters',
      severity: 'error',
      comment:
        'The simulator runs cores and broker-node; sim/calibrate alone may use real nodes, and the bench that measures them.',
      from: { path: '^sim/', pathNot: '^sim/calibrate' },
      to: {
        path: `${adapters}|${wiring}|^(test|bench)/`,
        // Decisions that real and simulated stores share; they touch nothing of the world.
        pathNot:
          '^src/storage/(memory-store|commit-progress|journal-writer|store-epoch-memory|store-.*-journal)\\.ts$|^coordination/embedded/(key-value-state|watch-hub)\\.ts$',
      },
    },
    ...vendors.map(({ names, only }) => ({
      name: `${names.split('|')[0].replace('@', '')}-in-its-place`,
      severity: 'error',
      comment: 'Each vendor is imported in a named few files.',
      from: { path: '^(src|gossip|coordination|routing|sim)/', pathNot: only },
      to: { path: vendor(names) },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.d.ts'],
      conditionNames: ['import', 'types', 'default'],
      exportsFields: ['exports'],
    },
  },
}
