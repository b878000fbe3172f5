import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Lets connections through to and from admitted peer ids only, and dials nothing but their addresses.
 *
 * An inbound peer is judged right after the encrypted handshake has proven its id, before anything else is
 * negotiated. An outsider sees its connection close.
 */
export class MemberGater implements ConnectionGater {
  #admitted = new Map<string, ReadonlySet<string>>()
  readonly #onRefused: (peerId: string) => void

  /** `onRefused` is told of inbound connections turned away. */
  constructor(onRefused: (peerId: string) => void) {
    this.#onRefused = onRefused
  }

  /** Replaces the admitted peers: peer id → multiaddrs without their `/p2p/` part. */
  admit(peers: Map<string, ReadonlySet<string>>): void {
    this.#admitted = peers
  }

  isAdmitted(peerId: string): boolean {
    return this.#admitted.has(peerId)
  }

  denyDialPeer(peerId: PeerId): boolean {
    return !this.isAdmitted(peerId.toString())
  }

  denyDialMultiaddr(address: Multiaddr): boolean {
    const [transport, peerId] = splitPeerId(address.toString())
    return peerId === undefined || this.#admitted.get(peerId)?.has(transport) !== true
  }

  denyInboundEncryptedConnection(peerId: PeerId): boolean {
    if (this.isAdmitted(peerId.toString())) return false
    this.#onRefused(peerId.toString())
    return true
  }

  denyOutboundEncryptedConnection(peerId: PeerId): boolean {
    return !this.isAdmitted(peerId.toString())
  }
}

/** Splits `/ip4/…/tcp/…/p2p/<id>` into what is before `/p2p/`, and the id when there is one. */
export function splitPeerId(address: string): [transport: string, peerId: string | undefined] {
  const at = address.lastIndexOf('/p2p/')
  return at === -1 ? [address, undefined] : [address.slice(0, at), address.slice(at + '/p2p/'.length)]
}
