import { isIP } from 'node:net'
import { lookup } from 'node:dns/promises'
import { identify } from '@libp2p/identify'
import type { Identify } from '@libp2p/identify'
import type { Connection, Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Libp2pOptions } from 'libp2p'
import { errorMessage, GrapevineError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { PeerAddress } from '../core/ports/peer-transport.ts'
import { leanNoise, leanYamux } from './lean-connection.ts'
import { MemberGater, splitPeerId } from './member-gater.ts'
import { silentLogger } from './silent-logger.ts'

interface Services<Pubsub> extends Record<string, unknown> {
  identify: Identify
  pubsub: Pubsub
}

/** Makes the pubsub service out of libp2p's components; the gossip adapter's module has one. */
export type PubsubFactory<Pubsub> = NonNullable<Libp2pOptions<Services<Pubsub>>['services']>['pubsub']

export interface MeshHostOptions<Pubsub> {
  /** From `openHostKey`. */
  readonly privateKey: PrivateKey
  /** IP address or host name to listen on. */
  readonly listenHost: string
  /** 0 takes a free port. */
  readonly listenPort: number
  /** What peers are told to dial instead of the listen address: `host:port`, `[v6]:port` or multiaddrs. */
  readonly announceAddresses?: readonly string[]
  readonly pubsub: PubsubFactory<Pubsub>
  readonly logger: Logger
}

/** More connections at once than any cluster has; libp2p's defaults drop members that start together. */
const CONNECTIONS_MAX = 4096

/**
 * A libp2p host on TCP with noise and yamux that knows members only: it admits nobody else, dials nothing but their
 * addresses, discovers nothing and keeps nothing on disk.
 *
 * Connections to one peer live and die together: gossipsub keeps its streams on one of them and does not move to
 * another when that one closes.
 */
export class MeshHost<Pubsub = unknown> {
  readonly #libp2p: Libp2p<Services<Pubsub>>
  readonly #gater: MemberGater

  /** Made by `createMeshHost`. */
  constructor(libp2p: Libp2p<Services<Pubsub>>, gater: MemberGater) {
    this.#libp2p = libp2p
    this.#gater = gater
    libp2p.addEventListener('connection:close', event =>
      this.dropConnections(event.detail.remotePeer.toString()),
    )
  }

  get peerId(): string {
    return this.#libp2p.peerId.toString()
  }

  /** Multiaddrs with peer id that others can dial; loopback only when there is nothing else. */
  get addresses(): readonly string[] {
    const all = this.#libp2p.getMultiaddrs().map(String)
    const reachable = all.filter(
      address => !address.startsWith('/ip4/127.') && !address.startsWith('/ip6/::1/'),
    )
    return reachable.length > 0 ? reachable : all
  }

  get pubsub(): Pubsub {
    return this.#libp2p.services.pubsub
  }

  /** Replaces the peers that may be connected; connections to others are dropped. */
  admit(members: Iterable<PeerAddress>): void {
    const admitted = new Map<string, ReadonlySet<string>>()
    for (const { peerId, addresses } of members) {
      admitted.set(peerId, new Set(addresses.map(address => splitPeerId(address)[0])))
    }
    this.#gater.admit(admitted)
    for (const connection of this.#libp2p.getConnections()) {
      const peerId = connection.remotePeer.toString()
      if (!admitted.has(peerId)) this.dropConnections(peerId)
    }
  }

  /** The open connection to an admitted peer, or a new one. Rejects when it cannot be reached. */
  async connect(peer: PeerAddress, signal: AbortSignal): Promise<Connection> {
    const addresses = peer.addresses.map(text => multiaddr(`${splitPeerId(text)[0]}/p2p/${peer.peerId}`))
    return this.#libp2p.dial(addresses, { signal })
  }

  isConnected(peerId: string): boolean {
    return this.#libp2p.getConnections(peerIdFromString(peerId)).some(({ status }) => status === 'open')
  }

  /** Calls `listener` for each stream a peer opens with `protocol`. */
  async handle(protocol: string, listener: (stream: Stream, peerId: string) => void): Promise<void> {
    await this.#libp2p.handle(protocol, (stream, connection) => {
      listener(stream, connection.remotePeer.toString())
    })
  }

  /** Calls `listener` for each new connection, either side having dialled. */
  onConnection(listener: (peerId: string) => void): void {
    this.#libp2p.addEventListener('connection:open', event => listener(event.detail.remotePeer.toString()))
  }

  /** Resets every connection to the peer. */
  dropConnections(peerId: string): void {
    for (const connection of this.#libp2p.getConnections(peerIdFromString(peerId))) {
      if (connection.status !== 'open') continue
      try {
        connection.abort(new Error('dropped'))
      } catch {
        // libp2p wanted to say goodbye on a socket that is closed already.
      }
    }
  }

  async close(): Promise<void> {
    await this.#libp2p.stop()
  }
}

/** Listens. Throws `GrapevineError` PORT_IN_USE or ADDRESS_UNAVAILABLE naming the address. */
export async function createMeshHost<Pubsub>(options: MeshHostOptions<Pubsub>): Promise<MeshHost<Pubsub>> {
  const { logger } = options
  const gater = new MemberGater(peerId => logger.debug('refused a connection from a non-member', { peerId }))
  const listenAddress = await listenMultiaddr(options.listenHost, options.listenPort)
  try {
    const libp2p = await createLibp2p<Services<Pubsub>>({
      privateKey: options.privateKey,
      addresses: {
        listen: [listenAddress],
        announce: (options.announceAddresses ?? []).map(announcedMultiaddr),
      },
      transports: [tcp({ backlog: limits.listenBacklog })],
      connectionEncrypters: [leanNoise()],
      streamMuxers: [leanYamux()],
      connectionGater: gater,
      connectionManager: {
        maxConnections: CONNECTIONS_MAX,
        maxIncomingPendingConnections: CONNECTIONS_MAX,
        inboundConnectionThreshold: CONNECTIONS_MAX,
        maxParallelDials: CONNECTIONS_MAX,
      },
      // Links have a heartbeat of their own; libp2p's monitor throws out of its timer when a connection is half closed.
      connectionMonitor: { enabled: false },
      services: { identify: identify(), pubsub: options.pubsub },
      logger: silentLogger,
    })
    return new MeshHost(libp2p, gater)
  } catch (error) {
    throw listenError(error, `${options.listenHost}:${options.listenPort}`)
  }
}

async function listenMultiaddr(host: string, port: number): Promise<string> {
  if (isIP(host) !== 0) return ipMultiaddr(host, port)
  try {
    return ipMultiaddr((await lookup(host)).address, port)
  } catch (error) {
    throw new GrapevineError(
      'ADDRESS_UNAVAILABLE',
      `the mesh listen host ${host} cannot be resolved (${errorMessage(error)}): set an IP address of this machine`,
      { cause: error },
    )
  }
}

function ipMultiaddr(ip: string, port: string | number): string {
  return `/${isIP(ip) === 6 ? 'ip6' : 'ip4'}/${ip}/tcp/${port}`
}

function announcedMultiaddr(address: string): string {
  if (address.startsWith('/')) return multiaddr(address).toString()
  const at = address.lastIndexOf(':')
  const host = address.slice(0, at).replace(/^\[|\]$/g, '')
  const port = address.slice(at + 1)
  return isIP(host) === 0 ? `/dns/${host}/tcp/${port}` : ipMultiaddr(host, port)
}

function listenError(error: unknown, address: string): unknown {
  const message = errorMessage(error)
  if (message.includes('EADDRINUSE')) {
    return new GrapevineError(
      'PORT_IN_USE',
      `the mesh address ${address} is in use by another process: stop it or choose another mesh port`,
      { cause: error },
    )
  }
  if (/EADDRNOTAVAIL|EACCES|ENOTFOUND/.test(message)) {
    return new GrapevineError(
      'ADDRESS_UNAVAILABLE',
      `the mesh cannot listen on ${address}: it is not an address of this machine, or not permitted; choose another`,
      { cause: error },
    )
  }
  return error
}
