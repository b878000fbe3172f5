import {
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer, type ServerOptions as WebSocketOptions } from 'ws'
import { limits } from '../core/limits.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import { CLOSE_TIMEOUT_MS, closeDeadline } from './close-deadline.ts'
import { WebSocketStream } from './web-socket-stream.ts'

/** In order of preference; the second is what clients of MQTT 3.1 ask for. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1'] as const

/** For the HTTP(S) server: a peer that does not get to the upgrade in time is dropped. */
export const upgradeServerOptions = {
  noDelay: true,
  headersTimeout: limits.connectTimeoutMs,
  requestTimeout: limits.connectTimeoutMs,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8 * 1024,
} as const satisfies ServerOptions

export interface UpgradeOptions {
  /** Path of the WebSocket; a query behind it is ignored. */
  readonly path: string
  /** Largest WebSocket message taken; no smaller than the largest MQTT packet, which may be sent as one message. */
  readonly messageBytesMax: number
}

/** Upgrades requests for `path` that offer an MQTT subprotocol to WebSockets; refuses everything else in one line. */
export function acceptUpgrades(
  server: Server,
  { path, messageBytesMax }: UpgradeOptions,
  onConnection: (stream: ByteStream) => void,
): void {
  const options: WebSocketOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    closeTimeout: CLOSE_TIMEOUT_MS, // missing in its type declarations
    handleProtocols: chooseSubprotocol,
  }
  const webSockets = new WebSocketServer(options)
  server.on('request', refuseRequest)
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!server.listening) {
      socket.destroy()
    } else if (request.url?.split('?', 1)[0] !== path) {
      refuseUpgrade(socket, 404, `MQTT over WebSocket is served at ${path}.`)
    } else if (!offersMqtt(request)) {
      refuseUpgrade(socket, 400, 'The WebSocket subprotocol "mqtt" must be asked for.') // [MQTT-6.0.0-3]
    } else {
      webSockets.handleUpgrade(request, socket, head, webSocket => {
        onConnection(new WebSocketStream(webSocket, socket))
      })
    }
  })
}

function offersMqtt({ headers }: IncomingMessage): boolean {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
  return SUBPROTOCOLS.some(name => offered.includes(name))
}

/** [MQTT-6.0.0-4]. */
function chooseSubprotocol(offered: ReadonlySet<string>): string | false {
  return SUBPROTOCOLS.find(name => offered.has(name)) ?? false
}

function refuseRequest(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, {
    Connection: 'Upgrade, close',
    Upgrade: 'websocket',
    'Content-Type': 'text/plain',
  })
  response.end('This port speaks MQTT over WebSocket.\n')
}

function refuseUpgrade(socket: Socket, status: number, line: string): void {
  const deadline = closeDeadline(socket)
  socket.on('error', () => {
    // It is closed already.
  })
  socket.on('close', () => clearTimeout(deadline))
  socket.resume()
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${line.length + 1}\r\n\r\n${line}\n`,
  )
}
