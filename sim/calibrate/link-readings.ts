import { RequestWorker } from '../../bench/request-worker.ts'
import type { PeerAddress } from '../../src/core/ports/peer-transport.ts'
import { pause, repeated, type Lab } from './lab.ts'
import type { LinkAnswer, LinkRequest, LinkTaken } from './link-protocol.ts'
import type { Reading } from './reading.ts'
import { lineThrough, percentile } from './regression.ts'

/** Messages a second of the load points: idle, and up to what a cluster's gossip is allowed. */
const RATES = [0, 50, 100] as const
const NEIGHBOURS = [1, 6, 12] as const
const WARM_UP_RATE = 1500
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
  const gossip = await repeated(lab, round => starRun(lab, 'gossip', round))
  const frames = await repeated(lab, round => starRun(lab, 'frames', round))
  const rates = RATES.filter(rate => rate > 0).join(' and ')
  const by = `1 host to ${NEIGHBOURS.join(', ')} neighbours in one process, ${rates} messages/s, by regression over copies`
  const hops = (runs: readonly StarRun[], percent: number) => runs.map(run => percentile(run.hops, percent))
  const alone = 'two hosts in two processes, 50 messages/s'
  return [
    { name: 'gossip.hopMsP50', runs: hops(gossip, 50), how: alone },
    { name: 'gossip.hopMsP99', runs: hops(gossip, 99), how: alone },
    { name: 'gossip.cpuUsPerSend', runs: gossip.map(({ perSend }) => perSend), how: by },
    { name: 'gossip.cpuUsPerReceive', runs: gossip.map(({ perReceive }) => perReceive), how: by },
    { name: 'stream.hopMsP50', runs: hops(frames, 50), how: alone },
    { name: 'stream.hopMsP99', runs: hops(frames, 99), how: alone },
    {
      name: 'stream.cpuUsPerFrame',
      runs: frames.map(({ perSend, perReceive }) => (perSend + perReceive) / 2),
      how: `frames of ${SMALL_FRAME_BYTES} B, ${by}, mean of both ends`,
    },
    {
      name: 'node.cpuUsPerWake',
      runs: frames.map(({ perWake }) => perWake),
      how: `the same frames, by regression to no copies, at the receivers`,
    },
    {
      name: 'stream.megabytesPerSecond',
      runs: await repeated(lab, () => megabytesPerSecond(lab)),
      how: 'frames of 64 KiB as fast as one link takes them, each end on a core of its own',
    },
  ]
}

/** µs of CPU, and delays in ms between two hosts. */
interface StarRun {
  readonly hops: readonly number[]
  readonly perSend: number
  readonly perReceive: number
  readonly perWake: number
}

/**
 * By message, the CPU time of either process rises with the number of neighbours: so much for a copy. What is left for no copies at
 * all is the price of waking a process that had nothing to do.
 */
async function starRun(lab: Lab, kind: 'gossip' | 'frames', round: number): Promise<StarRun> {
  const sending: [neighbours: number, cpuUsPerMessage: number][] = []
  const receiving: [neighbours: number, cpuUsPerMessage: number][] = []
  let hops: readonly number[] = []
  for (const count of NEIGHBOURS) {
    lab.progress(`${kind} to ${count} neighbours, run ${round + 1} of ${lab.repetitions}`)
    await withStar(lab, count, async star => {
      const request = (perSecond: number): LinkRequest =>
        kind === 'gossip'
          ? { kind, perSecond, forMs: lab.windowMs }
          : { kind, to: [...star.neighbourIds], bytes: SMALL_FRAME_BYTES, perSecond, forMs: lab.windowMs }
      // Code that ran a few hundred times is not what a node runs.
      await loadOf(star, request(WARM_UP_RATE))
      const loads: Load[] = []
      for (const perSecond of RATES) {
        const load = await loadOf(star, request(perSecond))
        loads.push(load)
        if (count === 1 && perSecond === 50) hops = load.delaysMs
      }
      sending.push([count, lineThrough(loads.map(load => [load.sentPerSecond, load.centreCpu])).slope])
      receiving.push([count, lineThrough(loads.map(load => [load.sentPerSecond, load.neighboursCpu])).slope])
    })
  }
  const received = lineThrough(receiving)
  return {
    hops,
    perSend: lineThrough(sending).slope,
    perReceive: received.slope,
    perWake: received.intercept,
  }
}

async function megabytesPerSecond(lab: Lab): Promise<number> {
  return await withStar(lab, 1, async star => {
    const large = await loadOf(star, {
      ...{ kind: 'frames', to: [...star.neighbourIds], bytes: LARGE_FRAME_BYTES, perSecond: null },
      forMs: lab.windowMs,
    })
    return large.receivedBytesPerSecond / 1e6
  })
}
