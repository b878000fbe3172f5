import { createHash, randomFillSync } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AcknowledgementCounter } from '../../bench/load/acknowledgement-counter.ts'
import { connectMany, forEachConcurrently } from '../../bench/load/connect-many.ts'
import { cpuSecondsOf } from '../../bench/load/cpu-meter.ts'
import { LoadConnection, type LoadConnectionOptions } from '../../bench/load/load-connection.ts'
import { disconnectPacket } from '../../bench/load/mqtt-packets.ts'
import { PublishBatch, stampBytes } from '../../bench/load/publish-batch.ts'
import { createReceiveBuffer } from '../../bench/load/receive-buffer.ts'
import type { StartedNode } from '../../bench/peers/grapevine.ts'
import { pause, repeated, sized, type Lab } from './lab.ts'
import { withPair } from './node-pair.ts'
import type { Reading } from './reading.ts'
import { lineThrough } from './regression.ts'
import { settledRss } from './settled-rss.ts'

/** Clients with sessions that are kept come in crowds of this many, and stay. */
const CROWD = 1500
const CROWDS = 4
const MORE_SUBSCRIPTIONS = 10
const MOVING = 100
const MOVES_EACH = 6
const QUEUES = 100
const QUEUED_EACH = 300
const QUEUED_BYTES = 256
/** PUBLISHes that may be unacknowledged. */
const WINDOW = 100

/** What sessions cost a node that is joined to etcd: disk, queues in memory, and moving. */
export async function readSessions(lab: Lab): Promise<Reading[]> {
  const kept = await repeated(lab, async round => {
    lab.progress(`sessions on disk and on the move, run ${round + 1} of ${lab.repetitions}`)
    return await withPair(lab, 'local', async ({ nodes: [node, other] }) => ({
      perMove: await cpuPerMove(lab, node, other),
      ...(await bytesOnDisk(lab, node)),
    }))
  })
  const crowds = `${sized(lab, CROWD) * CROWDS} clients in ${CROWDS} crowds, by regression`
  return [
    {
      name: 'node.cpuUsPerMove',
      runs: kept.map(({ perMove }) => perMove),
      how: `${sized(lab, MOVING)} sessions with ${MORE_SUBSCRIPTIONS} subscriptions, each moved ${MOVES_EACH} times`,
    },
    {
      name: 'node.bytesPerQueuedMessage',
      runs: kept.map(({ memoryPerQueued }) => Math.max(1, memoryPerQueued)),
      how: `resident memory with ${sized(lab, QUEUES)} queues of ${QUEUED_EACH} messages of ${QUEUED_BYTES} B, without these`,
    },
    {
      name: 'disk.bytesPerSession',
      runs: kept.map(({ perSession }) => perSession),
      how: `data directory with ${crowds}`,
    },
    {
      name: 'disk.bytesPerSubscription',
      runs: kept.map(({ perSubscription }) => perSubscription),
      how: `the same sessions, ${MORE_SUBSCRIPTIONS} more subscriptions each`,
    },
    {
      name: 'disk.bytesPerQueuedMessage',
      runs: kept.map(({ perQueued }) => perQueued),
      how: `${sized(lab, QUEUES)} queues of ${QUEUED_EACH} messages at QoS 1 that do not compress`,
    },
  ]
}

async function bytesOnDisk(lab: Lab, node: StartedNode) {
  const client = clientsOf(node, { cleanSession: false })
  const sessions: [count: number, bytes: number][] = [[0, await quietDirectory(node)]]
  const connections: LoadConnection[] = []
  for (let crowd = 0; crowd < CROWDS; crowd++) {
    connections.push(
      ...(await connectMany(sized(lab, CROWD), client(`kept-${crowd}`), subscribeOnce(`kept-${crowd}`))),
    )
    sessions.push([connections.length, await quietDirectory(node)])
  }
  const [, before] = sessions.at(-1) ?? [0, Number.NaN]
  await subscribeMore(connections)
  const after = await quietDirectory(node)
  await Promise.all(connections.map(connection => connection.close(disconnectPacket)))
  const withoutQueues = await quietDirectory(node)
  const [memoryBefore = Number.NaN] = await settledRss([node])
  const queued = await fillQueues(lab, node)
  const [memoryAfter = Number.NaN] = await settledRss([node])
  return {
    perSession: lineThrough(sessions).slope,
    perSubscription: (after - before) / (connections.length * MORE_SUBSCRIPTIONS),
    memoryPerQueued: (memoryAfter - memoryBefore) / queued - QUEUED_BYTES,
    perQueued: ((await quietDirectory(node)) - withoutQueues) / queued,
  }
}

/** Messages at QoS 1 to clients that are away; answers how many. */
async function fillQueues(lab: Lab, node: StartedNode): Promise<number> {
  const crowd = 'queued'
  const queues = sized(lab, QUEUES)
  const away = await connectMany(
    queues,
    clientsOf(node, { cleanSession: false })(crowd),
    (connection, index) => connection.subscribe(filterOf(crowd, index), 1),
  )
  await Promise.all(away.map(connection => connection.close(disconnectPacket)))
  const publisher = await LoadConnection.open(clientsOf(node, { cleanSession: true })('publisher')(0))
  const acknowledged = new AcknowledgementCounter(publisher)
  for (let queue = 0; queue < queues; queue++) {
    const batch = new PublishBatch({
      ...{ version: 4, topic: filterOf(crowd, queue), qos: 1, payloadBytes: QUEUED_BYTES },
      ...{ publisher: queue, capacity: WINDOW },
    })
    for (let sequence = 0; sequence < QUEUED_EACH; sequence += WINDOW) {
      const packets = batch.fill(WINDOW, sequence, 0, 0)
      for (let end = batch.packetBytes; end <= packets.length; end += batch.packetBytes)
        randomFillSync(packets, end - QUEUED_BYTES + stampBytes, QUEUED_BYTES - stampBytes)
      publisher.write(packets)
      await acknowledged.next(WINDOW, () => undefined)
    }
  }
  await publisher.close(disconnectPacket)
  return queues * QUEUED_EACH
}

/** Sessions go from one node to the other and back while their clients are still connected. */
async function cpuPerMove(lab: Lab, node: StartedNode, other: StartedNode): Promise<number> {
  const ends = [node, other].map(end => clientsOf(end, { cleanSession: false })('moving'))
  const count = sized(lab, MOVING)
  const connections = await connectMany(count, ends[0]!, subscribeOnce('moving'))
  await subscribeMore(connections)
  const cpu = (): number => cpuSecondsOf(node.pid) + cpuSecondsOf(other.pid)
  const move = async (to: number): Promise<void> => {
    await forEachConcurrently(count, async index => {
      const before = connections[index]
      const connection = await LoadConnection.open(ends[to]!(index))
      if (!connection.isSessionPresent) throw new Error(`session ${index} did not come along`)
      connections[index] = connection
      await before?.close()
    })
    // The old owner still sends what followed, and forgets.
    await pause(300)
  }
  await move(1)
  const before = cpu()
  for (let i = 0; i < MOVES_EACH; i++) await move(i % 2)
  const seconds = cpu() - before
  await Promise.all(connections.map(connection => connection.close(disconnectPacket)))
  return (1e6 * seconds) / (count * MOVES_EACH)
}

/** Sixteen of its characters are as hard to compress as the ids of real devices. */
function filterOf(crowd: string, index: number): string {
  const device = createHash('sha1').update(`${crowd} ${index}`).digest('hex').slice(0, 16)
  return `site/${device}/state/val`
}

export function subscribeOnce(crowd: string) {
  return (connection: LoadConnection, index: number) => connection.subscribe(filterOf(crowd, index), 0)
}

async function subscribeMore(connections: readonly LoadConnection[]): Promise<void> {
  await forEachConcurrently(connections.length, async index => {
    for (let i = 0; i < MORE_SUBSCRIPTIONS; i++)
      await connections[index]?.subscribe(filterOf(`more-${i}`, 1_000_000 + index), 0)
  })
}

/** Options of the clients of a crowd. One that ends is seen by what it does next. */
export function clientsOf({ port }: StartedNode, { cleanSession }: { cleanSession: boolean }) {
  const receive = createReceiveBuffer()
  return (crowd: string) =>
    (index: number): LoadConnectionOptions => ({
      ...{ port, version: 4, cleanSession, receive, payloadBytes: QUEUED_BYTES, onFault: () => {} },
      clientId: `calibrate-${crowd}-${index}`,
    })
}

/** Bytes of a node's files once they stand still. */
async function quietDirectory({ dataDir }: StartedNode): Promise<number> {
  let last = -1
  for (let look = 0; look < 20; look++) {
    const now = directoryBytes(dataDir)
    if (now === last) break
    last = now
    await pause(300)
  }
  return last
}

function directoryBytes(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    // LevelDB removes files at any time.
    bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}
