import { generate, type IConnectPacket, type IPublishPacket, type Packet, type QoS } from 'mqtt-packet'
import type { MqttVersion } from '../support/raw-packet.ts'
import type { Choices } from './choices.ts'

const topics = ['a', 'a/b', 'a/b/c', 'ä/€/😀', '/', 'sensors/1/temperature'] as const
const filters = ['a', 'a/b', 'a/+', '+/b/#', '#', 'sensors/#', '$share/g/a/#', '$SYS/broker/#'] as const
const clientIds = ['', 'fuzz1', 'fuzz2', 'fuzz3', 'fuzz4'] as const
const qualities = [0, 1, 2] as const

/** The packets of a client that keeps to the protocol, each in its bytes: CONNECT, then a mix of everything. */
export function validSequence(choices: Choices, version: MqttVersion): Buffer[] {
  const packets: Packet[] = [connect(choices, version)]
  for (let left = 2 + choices.below(16); left > 0; left--) packets.push(somePacket(choices, version))
  if (choices.chance(0.5))
    packets.push({ cmd: 'disconnect', ...(version === 5 && { reasonCode: choices.pick([0, 4]) }) })
  return packets.map(packet => generate(packet, { protocolVersion: version }))
}

function connect(choices: Choices, version: MqttVersion): IConnectPacket {
  const clientId = choices.pick(clientIds)
  const withUser = choices.chance(0.3)
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: version,
    clientId,
    clean: clientId === '' || choices.chance(0.5),
    keepalive: choices.pick([0, 1, 60, 65_535]),
    ...(withUser && { username: 'user', password: Buffer.from('password') }),
    ...(choices.chance(0.4) && { will: will(choices, version) }),
    ...(version === 5 && {
      properties: {
        sessionExpiryInterval: choices.pick([0, 1, 3600]),
        receiveMaximum: choices.pick([1, 2, 100]),
        maximumPacketSize: choices.pick([64, 1024, 100_000]),
        topicAliasMaximum: choices.pick([0, 10]),
        requestResponseInformation: choices.chance(0.5),
        requestProblemInformation: choices.chance(0.5),
        userProperties: { a: ['1', '2'], constructor: 'b' },
      },
    }),
  }
}

function will(choices: Choices, version: MqttVersion): NonNullable<IConnectPacket['will']> {
  return {
    topic: choices.pick(topics),
    payload: Buffer.from('gone'),
    qos: choices.pick(qualities),
    retain: choices.chance(0.3),
    ...(version === 5 && {
      properties: { willDelayInterval: choices.pick([0, 1, 5000]), messageExpiryInterval: 10 },
    }),
  }
}

function somePacket(choices: Choices, version: MqttVersion): Packet {
  const messageId = 1 + choices.below(4)
  const isFive = version === 5
  switch (choices.below(isFive ? 13 : 12)) {
    case 0:
    case 1:
      return {
        cmd: 'subscribe',
        messageId,
        subscriptions: Array.from({ length: 1 + choices.below(3) }, () => ({
          topic: choices.pick(filters),
          qos: choices.pick<QoS>(qualities),
          ...(isFive && { rap: choices.chance(0.5), rh: choices.pick([0, 1, 2]) }),
        })),
        ...(isFive &&
          choices.chance(0.5) && { properties: { subscriptionIdentifier: 1 + choices.below(268_435_455) } }),
      }
    case 2:
      return { cmd: 'unsubscribe', messageId, unsubscriptions: [choices.pick(filters)] }
    case 3:
      return { cmd: 'pingreq' }
    case 4:
      return { cmd: 'pubrel', messageId }
    case 5:
      return { cmd: 'puback', messageId }
    case 6:
      return { cmd: 'pubrec', messageId }
    case 7:
      return { cmd: 'pubcomp', messageId }
    case 12:
      return { cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'SCRAM-SHA-256' } }
    default:
      return publish(choices, isFive, messageId)
  }
}

function publish(choices: Choices, isFive: boolean, messageId: number): IPublishPacket {
  const qos = choices.pick<QoS>(qualities)
  return {
    cmd: 'publish',
    topic: choices.pick(topics),
    payload: choices.bytes(choices.pick([0, 1, 10, 200, 5000])),
    qos,
    dup: qos > 0 && choices.chance(0.3),
    retain: choices.chance(0.1),
    messageId,
    ...(isFive && {
      properties: {
        messageExpiryInterval: choices.pick([1, 100]),
        contentType: 'text',
        responseTopic: 'a/b',
        correlationData: choices.bytes(8),
        userProperties: { name: ['1', '2'] },
        ...(choices.chance(0.3) && { topicAlias: 1 + choices.below(16) }),
      },
    }),
  }
}
