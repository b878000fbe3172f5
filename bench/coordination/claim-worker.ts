import { RunFailure } from '../load-generator.ts'
import { RequestWorker } from '../request-worker.ts'
import type { ClaimRequest, ClaimResponse, ClaimResult } from './claim-protocol.ts'

export interface ClaimWorkerOptions {
  etcdPort: number
  /** Tells the workers of one etcd apart. */
  number: number
  core: number | null
  signal: AbortSignal
}

/** The bench's side of one claim process. */
export class ClaimWorker {
  readonly #worker: RequestWorker<ClaimRequest, ClaimResponse>
  /** CPU time of its process as of the last answer. */
  cpuSeconds = 0

  constructor({ etcdPort, number, core, signal }: ClaimWorkerOptions) {
    this.#worker = new RequestWorker({
      ...{ importer: import.meta.url, script: './claim-process', core, signal },
      args: [`http://127.0.0.1:${etcdPort}`, `node-${number}`, String(1000 + number)],
    })
  }

  /** One request at a time. Throws `RunFailure`. */
  async request(request: ClaimRequest): Promise<ClaimResult> {
    const response = await this.#worker.request(request)
    if ('fault' in response) throw new RunFailure(response.fault)
    this.cpuSeconds = response.result.cpuSeconds
    return response.result
  }

  async stop(): Promise<void> {
    await this.#worker.stop()
  }
}
