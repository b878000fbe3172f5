import { connect } from 'node:net'
import mqttPacket, { type IConnackPacket, type Packet } from 'mqtt-packet'

/** What a broker offers, as far as scenarios need it. */
export interface Capabilities {
  protocolVersions: readonly (4 | 5)[]
  qosMax: 0 | 1 | 2
  retained: boolean
  shared: boolean
}

/** Longest wait for a broker's answer to the probe. */
const probeTimeoutMs = 5000

/**
 * Asks a broker on 127.0.0.1 with a v5 CONNECT what it announces, and then tries a shared subscription: a broker
 * that does not know them takes the filter literally and never delivers.
 */
export async function probeCapabilities(port: number): Promise<Capabilities> {
  const connack = await probeConnack(port)
  const v5 = connack !== undefined && connack.reasonCode === 0
  const announced = v5 ? connack.properties : undefined
  const qosMax = announced?.maximumQoS ?? 2
  const shared = announced?.sharedSubscriptionAvailable !== false && (await deliversToGroup(port))
  return {
    protocolVersions: v5 ? [4, 5] : [4],
    qosMax: qosMax === 0 || qosMax === 1 ? qosMax : 2,
    retained: announced?.retainAvailable !== false,
    shared,
  }
}

async function probeConnack(port: number): Promise<IConnackPacket | undefined> {
  return await converse(port, 5, (packet, _send, finish) => {
    if (packet.cmd === 'connack') finish(packet)
  })
}

/** Publishes to a group and then to a plain filter; the second message ends a fruitless wait. */
async function deliversToGroup(port: number): Promise<boolean> {
  const answer = await converse<boolean>(port, 4, (packet, send, finish) => {
    if (packet.cmd === 'connack') {
      const subscriptions = ['$share/bench/bench/probe/group', 'bench/probe/plain']
      send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: subscriptions.map(topic => ({ topic, qos: 0 })),
      })
    } else if (packet.cmd === 'suback') {
      for (const topic of ['bench/probe/group', 'bench/probe/plain']) {
        send({ cmd: 'publish', topic, payload: 'probe', qos: 0, dup: false, retain: false })
      }
    } else if (packet.cmd === 'publish') {
      if (packet.topic === 'bench/probe/group') finish(true)
      else setTimeout(finish, 200, false)
    }
  })
  return answer === true
}

type OnPacket<T> = (packet: Packet, send: (packet: Packet) => void, finish: (result: T) => void) => void

/** Talks to the broker until `onPacket` finishes; undefined when the broker ends the connection or says nothing. */
async function converse<T>(
  port: number,
  protocolVersion: 4 | 5,
  onPacket: OnPacket<T>,
): Promise<T | undefined> {
  return await new Promise<T | undefined>(resolve => {
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => socket.destroy(), probeTimeoutMs)
    const finish = (result: T | undefined) => {
      clearTimeout(timer)
      resolve(result)
      socket.destroy()
    }
    const send = (packet: Packet) => socket.write(mqttPacket.generate(packet, { protocolVersion }))
    const parser = mqttPacket.parser({ protocolVersion })
    parser.on('packet', (packet: Packet) => {
      onPacket(packet, send, finish)
    })
    parser.on('error', () => {
      finish(undefined)
    })
    socket.on('data', chunk => parser.parse(chunk))
    socket.on('error', () => {
      finish(undefined)
    })
    socket.on('close', () => {
      finish(undefined)
    })
    send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion,
      clientId: 'bench-probe',
      clean: true,
      keepalive: 60,
    })
  })
}
