import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { OccasionalLog } from '../core/occasional-log.ts'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { Listener, ListenerComponents, ListenerOptions } from './listener.ts'
import { ReadBuffers } from './read-buffers.ts'
import { SocketStream } from './socket-stream.ts'
import { readTlsFiles } from './tls-files.ts'
import { acceptUpgrades, upgradeServerOptions } from './web-socket-upgrade.ts'

/** Configuration key of the port, by protocol. */
const PORT_KEYS = {
  mqtt: 'mqtt.port',
  mqtts: 'mqtt.tls.port',
  ws: 'mqtt.ws.port',
  wss: 'mqtt.wss.port',
} as const

const TLS_OPTIONS = { noDelay: true, handshakeTimeout: limits.connectTimeoutMs } as const

/**
 * Listens for MQTT clients. Every connection is handed over in the turn it is made, to be listened to or destroyed at once.
 * Rejects with PORT_IN_USE, ADDRESS_UNAVAILABLE or TLS_FILES_UNUSABLE.
 */
export async function listen(
  options: ListenerOptions,
  components: ListenerComponents,
  onConnection: (stream: ByteStream) => void,
): Promise<Listener> {
  const { protocol } = options
  switch (protocol) {
    case 'mqtt': {
      const buffers = new ReadBuffers()
      const server = createServer({ noDelay: true }, socket => {
        onConnection(new SocketStream(socket, buffers))
      })
      return bind(server, options, components)
    }
    case 'mqtts': {
      const context = await readTlsFiles(options.tls, components)
      const buffers = new ReadBuffers()
      const server = createTlsServer({ ...TLS_OPTIONS, ...context }, socket => {
        if (server.listening) onConnection(new SocketStream(socket, buffers))
        else socket.destroy()
      })
      return bindTls(server, options, components)
    }
    case 'ws': {
      const server = createHttpServer(upgradeServerOptions)
      acceptUpgrades(server, options, onConnection)
      return bindHttp(server, await bind(server, options, components), options.path)
    }
    case 'wss': {
      const context = await readTlsFiles(options.tls, components)
      const server = createHttpsServer({ ...upgradeServerOptions, ...TLS_OPTIONS, ...context })
      acceptUpgrades(server, options, onConnection)
      return bindHttp(server, await bindTls(server, options, components), options.path)
    }
  }
}

async function bind(
  server: Server,
  { protocol, host, port }: ListenerOptions,
  { clock, logger }: ListenerComponents,
): Promise<Listener> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, backlog: limits.listenBacklog }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    throw listenError(error, host, port, PORT_KEYS[protocol])
  }
  const address = addressOf(server)
  const url = `${protocol}://${address}`
  const failures = new OccasionalLog(clock, (error, count) => {
    logger.warn('connections of clients could not be taken; the listener goes on', { url, error, count })
  })
  server.on('error', error => failures.note(systemErrorCode(error) ?? error.message))
  return {
    address,
    url,
    reload: () => Promise.resolve(),
    close: () => {
      server.close() // its callback would wait for the last client to leave; the port is free at once
      return Promise.resolve()
    },
  }
}

async function bindTls(
  server: TlsServer,
  options: Extract<ListenerOptions, { readonly protocol: 'mqtts' | 'wss' }>,
  components: ListenerComponents,
): Promise<Listener> {
  const listener = await bind(server, options, components)
  const { url } = listener
  const failures = new OccasionalLog(components.clock, (error, count) => {
    components.logger.info('TLS handshakes of clients failed', { url, error, count })
  })
  server.on('tlsClientError', error => failures.note(systemErrorCode(error) ?? errorMessage(error)))
  return {
    ...listener,
    reload: async () => {
      server.setSecureContext(await readTlsFiles(options.tls, components))
    },
  }
}

function bindHttp(server: HttpServer, listener: Listener, path: string): Listener {
  return {
    ...listener,
    url: listener.url + path,
    close: async () => {
      await listener.close()
      server.closeAllConnections() // those that have not become WebSockets
    },
  }
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}

/** What went wrong with a listen address, for the operator. */
function listenError(error: unknown, host: string, port: number, key: string): unknown {
  const code = systemErrorCode(error)
  switch (code) {
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
        `cannot listen on ${host}:${port} (${code}); check --${key} and its host`,
        { cause: error },
      )
    default:
      return error
  }
}
