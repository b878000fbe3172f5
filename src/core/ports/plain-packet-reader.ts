import type { PlainPacket, Publication } from '../publication.ts'

/** A publication in the packet it was published in. */
export interface PacketPublication extends Publication {
  readonly packet: PlainPacket
}

/** Reads the QoS 0 PUBLISH packets that nodes pass on as they came. */
export interface PlainPacketReader {
  /**
   * The publication in the packet that begins at `start`, whose `packet.end` is where the next one begins; it holds views of `bytes`.
   * Undefined when there is no complete packet, it is malformed, or it is not plain.
   */
  read(bytes: Uint8Array, start: number, isVersion5: boolean): PacketPublication | undefined
}
