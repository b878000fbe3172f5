import { setTimeout as delay } from 'node:timers/promises'
import type { NodeStatusView } from '../../admin/status-schemas.ts'
import type { NodeConfig } from '../../config/schema.ts'
import type { Logger } from '../../core/ports/logger.ts'
import { SystemClock } from '../../system/system-clock.ts'
import { fetchStatus } from '../admin-client.ts'
import { nodeLine, type NodeEndpoints } from '../node-line.ts'
import { patiently, stopInTime } from '../patience.ts'
import { untilStopped } from '../process-handlers.ts'
import type { DevMesh } from './dev-mesh.ts'
import { meshGaps } from './mesh-gaps.ts'
import { startPrivateEtcd } from './private-etcd.ts'
import { startProcessMesh } from './process-mesh.ts'

const POLL_INTERVAL_MS = 100

export interface MeshPlan {
  readonly configs: readonly NodeConfig[]
  /** Directory of the whole mesh, ours and locked. */
  readonly root: string
  /** Start an etcd for these nodes alone. */
  readonly privateEtcd: boolean
  readonly logger: Logger
}

/** Runs a whole mesh, announcing it on stdout, until asked to stop; answers the exit code. Rejects when it cannot run. */
export async function runMesh(plan: MeshPlan): Promise<number> {
  const stopRequest = untilStopped(plan.logger)
  const run = new MeshRun(plan)
  const running = run.run()
  try {
    const { fault } = await Promise.race([stopRequest, running])
    return (await stopInTime('the mesh', run.stop())) || (fault === undefined ? 0 : 1)
  } catch (error) {
    await stopInTime('the mesh', run.stop())
    throw error
  }
}

/** One run: starting it, saying so, taking it down in order, also halfway. */
class MeshRun {
  readonly #plan: MeshPlan
  /** What is to be undone, the last first. */
  readonly #undo: (() => Promise<void>)[] = []
  #waitingFor = 'the nodes to start'
  #isStopping = false

  constructor(plan: MeshPlan) {
    this.#plan = plan
  }

  /** Rejects when the mesh fails; otherwise goes on until `stop`. */
  async run(): Promise<never> {
    const mesh = await patiently(() => this.#waitingFor, this.#startUntilWhole())
    if (!this.#isStopping) console.log('mesh ready')
    return await mesh.failed
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo()
  }

  async #startUntilWhole(): Promise<DevMesh> {
    const etcd = this.#plan.configs[0]?.coordination.store === 'etcd'
    const mesh = etcd ? await this.#startProcesses() : await this.#startEmbedded()
    await Promise.race([this.#untilWhole(mesh), mesh.failed])
    return mesh
  }

  async #startEmbedded(): Promise<DevMesh> {
    const { startEmbeddedMesh } = await import('./embedded-mesh.ts')
    const { configs, root, logger } = this.#plan
    const starting = startEmbeddedMesh(configs, root, logger)
    this.#undo.push(() =>
      starting.then(
        started => started.stop(),
        () => undefined,
      ),
    )
    const mesh = await starting
    if (!this.#isStopping) for (const node of mesh.nodes.values()) console.log(nodeLine(node))
    return mesh
  }

  async #startProcesses(): Promise<DevMesh> {
    const { privateEtcd, logger } = this.#plan
    const configs = privateEtcd ? await this.#withPrivateEtcd() : this.#plan.configs
    this.#waitingFor = 'every node to listen'
    // The first lines come in the order of the nodes, those of restarts when they happen.
    let held: Map<string, NodeEndpoints> | undefined = new Map()
    const onListening = (node: NodeEndpoints): void => {
      if (this.#isStopping) return
      if (held === undefined) {
        console.log(nodeLine(node))
        return
      }
      held.set(node.nodeId, node)
      if (held.size < configs.length) return
      for (const config of configs) console.log(nodeLine(held.get(config.node.id) ?? node))
      held = undefined
    }
    // A stop that came while etcd started must not be followed by nodes.
    const mesh = startProcessMesh({
      configs: this.#isStopping ? [] : configs,
      clock: new SystemClock(),
      logger,
      onListening,
    })
    this.#undo.push(() => mesh.stop())
    return mesh
  }

  async #withPrivateEtcd(): Promise<readonly NodeConfig[]> {
    const { root, logger, configs } = this.#plan
    this.#waitingFor = 'the private etcd to answer'
    const etcd = await startPrivateEtcd(root, new SystemClock(), logger)
    this.#undo.push(() => etcd.stop())
    await etcd.healthy
    return configs.map(config => ({
      ...config,
      coordination: {
        ...config.coordination,
        etcd: { ...config.coordination.etcd, endpoints: [etcd.url] },
      },
    }))
  }

  /** Asks every node over HTTP, as anybody could, until each is ready and linked to every other. */
  async #untilWhole(mesh: DevMesh): Promise<void> {
    while (!this.#isStopping) {
      const gaps = meshGaps(await this.#ask(mesh))
      if (gaps.length === 0) return
      this.#waitingFor = gaps.join(', ')
      await delay(POLL_INTERVAL_MS)
    }
  }

  async #ask(mesh: DevMesh): Promise<Map<string, NodeStatusView | undefined>> {
    const answers = this.#plan.configs.map(async ({ node: { id }, admin: { token } }) => {
      const node = mesh.nodes.get(id)
      const status =
        node === undefined ? undefined : await fetchStatus(node.adminUrl, token).catch(() => undefined)
      return [id, status] as const
    })
    return new Map(await Promise.all(answers))
  }
}
