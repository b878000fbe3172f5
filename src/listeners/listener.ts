import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { TlsFiles } from './tls-files.ts'
import type { UpgradeOptions } from './web-socket-upgrade.ts'

/** Where to listen. */
export interface ListenAddress {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
}

/** What to listen for. `tls` files are checked before the port is bound. */
export type ListenerOptions =
  | (ListenAddress & { readonly protocol: 'mqtt' })
  | (ListenAddress & { readonly protocol: 'mqtts'; readonly tls: TlsFiles })
  | (ListenAddress & UpgradeOptions & { readonly protocol: 'ws' })
  | (ListenAddress & UpgradeOptions & { readonly protocol: 'wss'; readonly tls: TlsFiles })

export interface ListenerComponents {
  readonly clock: Clock
  readonly logger: Logger
}

/** A bound port where clients connect. */
export interface Listener {
  /** `host:port` actually bound. */
  readonly address: string
  /** The address as clients give it: `mqtt://…`, `mqtts://…`, `ws://…/mqtt`, `wss://…/mqtt`. */
  readonly url: string
  /**
   * Reads the TLS files again for connections to come; those taken stay. Rejects with TLS_FILES_UNUSABLE and keeps the old
   * certificate then. Without TLS it does nothing.
   */
  reload(): Promise<void>
  /** Stops taking connections, those in a handshake included; those taken stay. */
  close(): Promise<void>
}
