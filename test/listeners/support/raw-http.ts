import { once } from 'node:events'
import { connect } from 'node:net'

/** Sends the text to a port of this machine; answers all that comes back until the other side closes. */
export async function rawHttp(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
  await once(socket, 'close')
  return answer
}

/** An upgrade request as clients of MQTT send it, with other header lines where given. */
export function upgradeRequest(
  path: string,
  headers: Readonly<Record<string, string | undefined>> = {},
): string {
  const lines = Object.entries({
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'mqtt',
    ...headers,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
