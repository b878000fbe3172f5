import { createServer, type AddressInfo, type Server } from 'node:net'
import { GrapevineError, systemErrorCode } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import { SocketStream } from './socket-stream.ts'

/** Where clients connect. */
export interface Listener {
  /** `host:port` actually bound. */
  readonly address: string
  /** Stops taking connections; those taken stay. */
  close(): Promise<void>
}

/** What went wrong with a listen address, for the operator. `key` is the configuration key of its port. */
export function listenError(error: unknown, host: string, port: number, key: string): Error {
  switch (systemErrorCode(error)) {
    case 'EADDRINUSE':
      return new GrapevineError(
        'PORT_IN_USE',
        `${host}:${port} is in use by another process; stop it, or choose another port with --${key}`,
        { cause: error },
      )
    case 'EACCES':
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new GrapevineError(
        'ADDRESS_UNAVAILABLE',
        `cannot listen on ${host}:${port} (${systemErrorCode(error) ?? ''}); check --${key} and its host`,
        { cause: error },
      )
    default:
      return error instanceof Error ? error : new Error(String(error))
  }
}

/** Listens for MQTT over TCP. Rejects with PORT_IN_USE or ADDRESS_UNAVAILABLE. */
export async function listenTcp(
  host: string,
  port: number,
  onConnection: (stream: ByteStream) => void,
): Promise<Listener> {
  const server = createServer({ noDelay: true }, socket => {
    onConnection(new SocketStream(socket))
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, backlog: limits.listenBacklog }, resolve)
    })
  } catch (error) {
    throw listenError(error, host, port, 'mqtt.port')
  }
  server.on('error', () => {
    // Accepting one connection failed (no file descriptors left): the others and the listener go on.
  })
  return { address: addressOf(server), close: () => closeServer(server) }
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => {
      resolve()
    })
  })
}
