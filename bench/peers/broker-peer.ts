export type StorageSync = 'always' | 'batch' | 'never'

export interface StartOptions {
  /** Core to pin the broker to; null leaves it to the system. */
  core: number | null
  /** An empty directory of its own, removed by the caller after `stop`. */
  directory: string
  /** Aborted, it ends the broker. */
  signal: AbortSignal
  /** A peer whose shipped settings favour one of the two is set to what serves it best here. */
  tuneFor: 'throughput' | 'latency'
  /** When session writes reach the disk, for a broker that lets one choose. */
  storageSync?: StorageSync
}

export interface RunningBroker {
  readonly pid: number
  /** MQTT on 127.0.0.1. */
  readonly port: number
  /** Makes a garbage-collected runtime give up what is dead, so that memory can be compared; else nothing. */
  collectGarbage(): void
  /** Whether it has ended by itself, and the end of what it printed; empty when there is neither. */
  lastWords(): string
  stop(): Promise<void>
}

/** A broker that the bench can run. */
export interface BrokerPeer {
  readonly name: string
  /** Its version, or what to install. */
  check(): { version: string } | { missing: string }
  /** How it is configured where that matters for the figures, in a line. */
  readonly settings: string
  /** Starts a fresh broker and answers when it takes clients. Throws `BrokerStartError`. */
  start(options: StartOptions): Promise<RunningBroker>
}

/** A broker that did not come up; the message has the end of what it printed. */
export class BrokerStartError extends Error {
  override readonly name = 'BrokerStartError'
}
