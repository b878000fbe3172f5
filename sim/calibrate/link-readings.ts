import { RequestWorker } from '../../bench/request-worker.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import { pause, repeated, type Lab } from './lab.ts'
import type { LinkAnswer, LinkRequest, LinkTaken } from './link-protocol.ts'
import type { Reading } from './reading.ts'
import { lineThrough, percentile } from './regression.ts'

/** Messages a second of the load points: idle, and up to what a cluster's gossip is allowed. */
const RATES = [0, 50, 100] as const
const NEIGHBOURS = [1, 4, 8] as const
const SMALL_FRAME_BYTES = 300
const LARGE_FRAME_BYTES = 64 * 1024

type LinkWorker = RequestWorker<LinkRequest, LinkAnswer>

/** One host in a process of its own, and some neighbours of it in another, who know nobody but it. */
interface Star {
  readonly centre: LinkWorker
  readonly neighbours: LinkWorker
  readonly neighbourIds: readonly string[]
}

async function withStar<T>(lab: Lab, count: number, use: (star: Star) => Promise<T>): Promise<T> {
  const { cores, signal } = lab
  const start = (hosts: number, name: string, core: number | undefined): LinkWorker =>
    new RequestWorker({
      ...{ importer: import.meta.url, script: './link-process', args: [String(hosts), name] },
      ...{ core: core ?? null, signal },
    })
  const centre = start(1, 'centre', cores?.broker)
  const neighbours = start(count, 'neighbour', cores?.load)
  try {
    const [inside, outside] = [await addressesOf(centre), await addressesOf(neighbours)]
    await Promise.all([
      centre.request({ kind: 'link', peers: outside }),
      neighbours.request({ kind: 'link', peers: inside }),
    ])
    // Gossip finds out by a heartbeat or two who else is on the topic.
    await pause(2500)
    return await use({ centre, neighbours, neighbourIds: outside.map(({ nodeId }) => nodeId) })
  } finally {
    await Promise.all([centre.stop(), neighbours.stop()])
  }
}

async function addressesOf(worker: LinkWorker): Promise<PeerAddress[]> {
  const answer = await worker.request({ kind: 'addresses' })
  if (!('addresses' in answer)) throw new Error('a link process did not say its addresses')
  return answer.addresses
}

async function takeFrom(worker: LinkWorker): Promise<LinkTaken> {
  const answer = await worker.request({ kind: 'take' })
  if (!('taken' in answer)) throw new Error('a link process did not answer with what it took')
  return answer.taken
}

interface Load {
  /** Messages or frames, and µs of CPU, per second. */
  readonly sentPerSecond: number
  readonly receivedPerSecond: number
  readonly centreCpu: number
  readonly neighboursCpu: number
  readonly receivedBytesPerSecond: number
  readonly delaysMs: readonly number[]
}

/** What one request to the centre costs both processes, until a moment after its end. */
async function loadOf({ centre, neighbours }: Star, request: LinkRequest): Promise<Load> {
  const before = [await takeFrom(centre), await takeFrom(neighbours)] as const
  await centre.request(request)
  await pause(50)
  const after = [await takeFrom(centre), await takeFrom(neighbours)] as const
  const seconds = (after[0].atUs - before[0].atUs) / 1e6
  const sentAt = new Map(after[0].sent)
  return {
    sentPerSecond: after[0].sent.length / seconds,
    receivedPerSecond: after[1].received.length / seconds,
    centreCpu: (after[0].cpuUs - before[0].cpuUs) / seconds,
    neighboursCpu: (after[1].cpuUs - before[1].cpuUs) / seconds,
    receivedBytesPerSecond: after[1].receivedBytes / seconds,
    delaysMs: after[1].received.flatMap(([number, atUs]) => {
      const from = sentAt.get(number)
      return from === undefined ? [] : [(atUs - from) / 1000]
    }),
  }
}

/** What links and gossip of nodes cost, from hosts that do nothing else. */
export async function readLinks(lab: Lab): Promise<Reading[]> {
  return [...(await readGossip(lab)), ...(await readStreams(lab))]
}

async function readGossip(lab: Lab): Promise<Reading[]> {
  const runs = await repeated(lab, round => gossipRun(lab, round))
  const rates = RATES.filter(rate => rate > 0).join(' and ')
  const by = `hosts with links, ${NEIGHBOURS.join(', ')} neighbours, ${rates} messages/s, by regression`
  return [
    {
      name: 'gossip.hopMsP50',
      runs: runs.map(({ hops }) => percentile(hops, 50)),
      how: 'two hosts in two processes, 50 messages/s',
    },
    { name: 'gossip.hopMsP99', runs: runs.map(({ hops }) => percentile(hops, 99)), how: 'the same messages' },
    { name: 'gossip.cpuUsPerSend', runs: runs.map(({ perSend }) => perSend), how: by },
    { name: 'gossip.cpuUsPerReceive', runs: runs.map(({ perReceive }) => perReceive), how: by },
  ]
}

/**
 * The CPU time of the centre rises with messages × neighbours, that of the neighbours with the copies they get. What
 * publishing costs besides, once a message, is left out: it is small beside a copy.
 */
async function gossipRun(lab: Lab, round: number) {
  const perMessage: [neighbours: number, cpuUs: number][] = []
  const perCopy: number[] = []
  let hops: readonly number[] = []
  for (const count of NEIGHBOURS) {
    lab.progress(`gossip with ${count} neighbours, run ${round + 1} of ${lab.repetitions}`)
    await withStar(lab, count, async star => {
      await loadOf(star, { kind: 'gossip', perSecond: 100, forMs: lab.windowMs })
      const loads: Load[] = []
      for (const perSecond of RATES) {
        const load = await loadOf(star, { kind: 'gossip', perSecond, forMs: lab.windowMs })
        loads.push(load)
        if (count === 1 && perSecond === 50) hops = load.delaysMs
      }
      perMessage.push([count, lineThrough(loads.map(load => [load.sentPerSecond, load.centreCpu])).slope])
      perCopy.push(lineThrough(loads.map(load => [load.receivedPerSecond, load.neighboursCpu])).slope)
    })
  }
  const perReceive = perCopy.reduce((sum, cost) => sum + cost, 0) / perCopy.length
  return { hops, perSend: lineThrough(perMessage).slope, perReceive }
}

async function readStreams(lab: Lab): Promise<Reading[]> {
  const runs = await repeated(lab, async round => {
    lab.progress(`streams between two hosts, run ${round + 1} of ${lab.repetitions}`)
    return await withStar(lab, 1, async star => {
      const [to = ''] = star.neighbourIds
      const small = { kind: 'frames', to, bytes: SMALL_FRAME_BYTES, forMs: lab.windowMs } as const
      await loadOf(star, { ...small, perSecond: 200 })
      const slow = await loadOf(star, { ...small, perSecond: 50 })
      const loads = [slow]
      for (const perSecond of [200, 400]) loads.push(await loadOf(star, { ...small, perSecond }))
      const ofCentre = lineThrough(loads.map(load => [load.sentPerSecond, load.centreCpu])).slope
      const ofOther = lineThrough(loads.map(load => [load.receivedPerSecond, load.neighboursCpu])).slope
      const large = await loadOf(star, {
        ...{ kind: 'frames', to, bytes: LARGE_FRAME_BYTES, perSecond: null, forMs: lab.windowMs },
      })
      return { hops: slow.delaysMs, perFrame: (ofCentre + ofOther) / 2, bytes: large.receivedBytesPerSecond }
    })
  })
  const at = (percent: number) => runs.map(({ hops }) => percentile(hops, percent))
  return [
    {
      name: 'stream.hopMsP50',
      runs: at(50),
      how: `two hosts in two processes, 50 frames/s of ${SMALL_FRAME_BYTES} B`,
    },
    { name: 'stream.hopMsP99', runs: at(99), how: 'the same frames' },
    {
      name: 'stream.cpuUsPerFrame',
      runs: runs.map(({ perFrame }) => perFrame),
      how: `frames of ${SMALL_FRAME_BYTES} B alone, 50 to 400/s, by regression, mean of both ends`,
    },
    {
      name: 'stream.megabytesPerSecond',
      runs: runs.map(({ bytes }) => bytes / 1e6),
      how: 'frames of 64 KiB as fast as one link takes them, each end on a core of its own',
    },
  ]
}
