import type { DrainStatus } from '../core/ports/node-control.ts'
import type { ClusterStatus, Metric, ReadinessCheck } from '../core/ports/node-status.ts'
import type { BrokerNode } from './broker-node.ts'
import type { GrapevineNode, NodeDrainOptions } from './grapevine-node.ts'

const RATE_PER_SECOND_MIN = 100

/** A started broker with what it stands on. Stops itself when the broker cannot go on. */
export class RunningNode implements GrapevineNode {
  readonly nodeId: string
  readonly mqttAddress: string
  readonly listeners: readonly string[]
  readonly adminUrl: string
  readonly stopped: Promise<Error | undefined>
  readonly #broker: BrokerNode
  readonly #closeAll: () => Promise<void>
  readonly #settleStopped: (fault: Error | undefined) => void
  #stopping: Promise<void> | undefined

  constructor(
    broker: BrokerNode,
    nodeId: string,
    mqttAddress: string,
    listeners: readonly string[],
    adminUrl: string,
    closeAll: () => Promise<void>,
  ) {
    this.nodeId = nodeId
    this.mqttAddress = mqttAddress
    this.listeners = listeners
    this.adminUrl = adminUrl
    this.#broker = broker
    this.#closeAll = closeAll
    const { promise, resolve } = Promise.withResolvers<Error | undefined>()
    this.stopped = promise
    this.#settleStopped = resolve
    broker.onFailed(error => void this.#stop(error))
  }

  get isReady(): boolean {
    return this.readiness().every(({ ok }) => ok)
  }

  whenReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#broker.whenServing(resolve)
      void this.stopped.then(fault => {
        reject(fault ?? new Error('the node was stopped'))
      })
    })
  }

  stop(): Promise<void> {
    return this.#stop(undefined)
  }

  drain({ timeoutMs, ratePerSecond }: NodeDrainOptions): Promise<DrainStatus> {
    const { connections } = this.clusterStatus().local
    const inHalfTheTime = Math.ceil(connections / Math.max(1, timeoutMs / 2000))
    const rate = ratePerSecond ?? Math.max(RATE_PER_SECOND_MIN, inHalfTheTime)
    return this.#broker.control.drainWithin({ ratePerSecond: rate, isForced: false }, timeoutMs)
  }

  drainStatus(): DrainStatus {
    return this.#broker.control.drainStatus()
  }

  readiness(): readonly ReadinessCheck[] {
    return this.#broker.readiness()
  }

  clusterStatus(): ClusterStatus {
    return this.#broker.clusterStatus()
  }

  metrics(): readonly Metric[] {
    return this.#broker.metrics()
  }

  #stop(fault: Error | undefined): Promise<void> {
    this.#stopping ??= this.#closeAll().then(() => {
      this.#settleStopped(fault)
    })
    return this.#stopping
  }
}
