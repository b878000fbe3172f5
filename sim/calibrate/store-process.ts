/** A process with one client of etcd, the node's own; started by store-readings.ts with etcd's URL. */
import { EtcdCoordinationStore } from '../../coordination/etcd/etcd-coordination-store.ts'
import type { CoordinationOperation } from '../../src/core/ports/coordination-store.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import { SystemRandom } from '../../src/system/system-random.ts'
import type { StoreAnswer, StoreRequest } from './store-protocol.ts'

const VALUE_BYTES = 32

const [url = ''] = process.argv.slice(2)
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const store = await EtcdCoordinationStore.connect({
  endpoints: [url],
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silent,
})
let events = 0

/** Answers how many keys were put by the end. */
async function puts(request: Extract<StoreRequest, { kind: 'puts' }>): Promise<number> {
  const { prefix, underWay, perTransaction, forMs } = request
  const value = new Uint8Array(VALUE_BYTES)
  const endMs = performance.now() + forMs
  let started = 0
  let count = 0
  const loop = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const success = Array.from({ length: perTransaction }, (): CoordinationOperation => {
        return { type: 'put', key: `${prefix}${++started}`, value }
      })
      const outcome = await store.transact({ compare: [], success, failure: [] })
      if (outcome.outcome !== 'done') throw new Error(`etcd did not take a put: ${outcome.reason}`)
      count += perTransaction
    }
  }
  await Promise.all(Array.from({ length: underWay }, loop))
  return count
}

async function watch(prefix: string): Promise<void> {
  await new Promise<void>(resolve => {
    store.watch(prefix, { onEvents: batch => (events += batch.length), onReset: () => resolve() })
  })
}

async function perform(request: StoreRequest): Promise<StoreAnswer> {
  const count = request.kind === 'puts' ? await puts(request) : 0
  if (request.kind === 'watch') await watch(request.prefix)
  const { user, system } = process.cpuUsage()
  return { puts: count, events, cpuUs: user + system }
}

process.on('message', (request: StoreRequest) => {
  void perform(request).then(answer => process.send?.(answer))
})
process.on('disconnect', () => process.exit(0))
