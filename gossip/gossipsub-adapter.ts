import { gossipsub, StrictSign } from '@libp2p/gossipsub'
import type { GossipSub, GossipSubComponents } from '@libp2p/gossipsub'
import { createTopicScoreParams } from '@libp2p/gossipsub/score'
import { limits } from '../src/core/limits.ts'
import type { Gossip, GossipListener } from '../src/core/ports/gossip.ts'

/** Bytes gossipsub may hold for a peer that does not read; past it gossip to that peer stops until it reconnects. */
const OUTBOUND_BYTES_MAX = 16 * 1024 * 1024

/**
 * The cluster is a full mesh, so an origin reaches everybody in one hop; what its neighbours forward besides only replaces copies
 * that are lost, and costs every node a message per copy. Digests over the links find what is missing, within the time that
 * announcements of message ids (IHAVE) would take.
 */
const FLOOD_AND_A_THIN_MESH = {
  floodPublish: true,
  ...{ D: 2, Dlo: 1, Dhi: 3, Dout: 0, Dscore: 1 },
  ...{ Dlazy: 0, gossipFactor: 0 },
}

/**
 * Who sends what nobody signed, or signed with another's key, is not listened to for a while: some ten messages are enough. Nothing
 * else counts: a score for more could only cut the cluster in two.
 */
const ONLY_INVALID_COUNTS = createTopicScoreParams({
  ...{ topicWeight: 1, invalidMessageDeliveriesWeight: -1, invalidMessageDeliveriesDecay: 0.3 },
  ...{ timeInMeshWeight: 0, firstMessageDeliveriesWeight: 0 },
  ...{ meshMessageDeliveriesWeight: 0, meshFailurePenaltyWeight: 0 },
})

/** The one topic of a cluster. */
export function gossipTopic(cluster: string): string {
  return `grapevine/${cluster}/interest`
}

/** What the mesh host needs to make the service that `GossipsubGossip` is handed. */
export function gossipsubService(cluster: string): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    // The connection proves the neighbour only, who passes on what others said: each answers for its own words.
    globalSignaturePolicy: StrictSign,
    // A copy of what was verified is told without verifying it, too. Only what was verified is remembered by it.
    fastMsgIdFn: ({ from, seqno }) => latin1(from) + latin1(seqno),
    allowPublishToZeroTopicPeers: true,
    allowedTopics: [gossipTopic(cluster)],
    fallbackToFloodsub: false,
    maxOutboundBufferSize: OUTBOUND_BYTES_MAX,
    ...FLOOD_AND_A_THIN_MESH,
    // Peers are members, admitted by id: they may be many on one address.
    scoreParams: {
      ...{ IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
      topics: { [gossipTopic(cluster)]: ONLY_INVALID_COUNTS },
    },
  })
}

/** `Gossip` over a gossipsub service, on the cluster's one topic. */
export class GossipsubGossip implements Gossip {
  readonly #service: GossipSub
  readonly #topic: string
  #listener: GossipListener | undefined
  #closed = false

  constructor(service: GossipSub, cluster: string) {
    this.#service = service
    this.#topic = gossipTopic(cluster)
    service.addEventListener('message', ({ detail: message }) => {
      if (message.topic !== this.#topic || message.type !== 'signed' || this.#closed) return
      this.#listener?.(message.data, message.from.toString())
    })
    service.subscribe(this.#topic)
  }

  publish(message: Uint8Array): boolean {
    if (this.#closed || message.length > limits.gossipMessageBytesMax) return false
    // Best effort: a message gossipsub refuses is lost like any other.
    this.#service.publish(this.#topic, new Uint8Array(message)).catch(() => undefined)
    return true
  }

  onMessage(listener: GossipListener): void {
    this.#listener = listener
  }

  /** Publishes and hears nothing from now on. The service stops with its host. */
  close(): void {
    this.#closed = true
  }
}

function latin1(bytes: Uint8Array = new Uint8Array(0)): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
