import {
  connectFrame,
  field,
  frame,
  properties,
  property,
  u16,
  u32,
  type MqttVersion,
} from '../support/raw-packet.ts'
import { badStrings } from './bad-strings.ts'
import type { Choices } from './choices.ts'
import { packetOf, partsOf, withProperties } from './packet-parts.ts'

type Mutation = (packets: Buffer[], choices: Choices, version: MqttVersion) => void

/** Changes a valid sequence in place, one to four times. */
export function mutate(packets: Buffer[], choices: Choices, version: MqttVersion): void {
  for (let left = 1 + choices.below(4); left > 0; left--) choices.pick(mutations)(packets, choices, version)
}

/** Applied to one packet of the sequence, CONNECT less often: what is wrong there hides the rest. */
function onOne(change: (packet: Buffer, choices: Choices, version: MqttVersion) => Buffer): Mutation {
  return (packets, choices, version) => {
    const index = choices.chance(0.85)
      ? Math.min(1 + choices.below(packets.length - 1), packets.length - 1)
      : 0
    packets[index] = change(packets[index] as Buffer, choices, version)
  }
}

const flipBits = onOne((packet, choices) => {
  const flipped = Buffer.from(packet)
  for (let left = 1 + choices.below(4); left > 0; left--) {
    const index = choices.below(flipped.length)
    flipped[index] = (flipped[index] ?? 0) ^ (1 << choices.below(8))
  }
  return flipped
})

const truncate = onOne((packet, choices) => packet.subarray(0, choices.below(packet.length)))

/** The body is cut or padded, and the header tells the truth about it. */
const resize = onOne((packet, choices) => {
  const { first, body } = partsOf(packet)
  const resized = choices.chance(0.5)
    ? body.subarray(0, choices.below(body.length))
    : Buffer.concat([body, choices.bytes(1 + choices.below(20))])
  return packetOf({ first, body: resized })
})

const lieAboutLength = onOne((packet, choices) => {
  const parts = partsOf(packet)
  const { length } = parts.body
  if (choices.chance(0.2))
    return Buffer.concat([Buffer.from([parts.first, 0xff, 0xff, 0xff, 0xff, 0x01]), parts.body])
  return packetOf(
    parts,
    choices.pick([0, 1, Math.max(0, length - 1), length + 1, 4096, 2_000_000, 268_435_455]),
  )
})

/** Two bytes that may be the length of a string, an identifier, or anything. */
const lieInside = onOne((packet, choices) => {
  if (packet.length < 4) return packet
  const changed = Buffer.from(packet)
  changed.writeUInt16BE(
    choices.pick([0, 1, 0x7fff, 0xffff, packet.length]),
    2 + choices.below(packet.length - 3),
  )
  return changed
})

const changeHeader = onOne((packet, choices) => {
  const changed = Buffer.from(packet)
  if (changed.length > 0) changed[0] = choices.below(256)
  return changed
})

const duplicate: Mutation = (packets, choices) => {
  const index = choices.below(packets.length)
  const copies = Array.from({ length: 1 + choices.below(20) }, () => packets[index] as Buffer)
  packets.splice(index, 0, ...copies)
}

const swap: Mutation = (packets, choices) => {
  const [a, b] = [choices.below(packets.length), choices.below(packets.length)]
  ;[packets[a], packets[b]] = [packets[b] as Buffer, packets[a] as Buffer]
}

const remove: Mutation = (packets, choices) => {
  if (packets.length > 1) packets.splice(choices.below(packets.length), 1)
}

const insertGarbage: Mutation = (packets, choices) => {
  packets.splice(choices.below(packets.length + 1), 0, choices.bytes(1 + choices.below(300)))
}

const addProperties = onOne((packet, choices, version) => {
  if (version < 5 || packet.length < 4) return packet
  const one = choices.pick(strangeProperties)(choices)
  const count = choices.pick([1, 1, 2, 2, 3000])
  try {
    return withProperties(packet, Buffer.concat(Array.from({ length: count }, () => one))) ?? packet
  } catch (error) {
    if (error instanceof RangeError) return packet // an earlier mutation took its fields
    throw error
  }
})

const strangeProperties: readonly [(choices: Choices) => Buffer, ...((choices: Choices) => Buffer)[]] = [
  choices => property(0x26, Buffer.concat([field(choices.pick(badStrings).subarray(0, 100)), field('v')])),
  () => property(0x26, Buffer.concat([field('__proto__'), field('constructor')])),
  choices => property(0x23, u16(choices.pick([0, 1, 16, 17, 0xffff]))),
  choices =>
    property(
      choices.pick([0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a]),
      Buffer.from([choices.below(256)]),
    ),
  choices => property(choices.pick([0x02, 0x11, 0x18, 0x27]), u32(choices.pick([0, 1, 0xffffffff]))),
  choices =>
    property(
      choices.pick([0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f]),
      field(choices.pick(badStrings).subarray(0, 500)),
    ),
  choices =>
    property(
      0x0b,
      choices.pick([
        Buffer.from([0]),
        Buffer.from([0xff, 0xff, 0xff, 0x7f]),
        Buffer.from([0xff, 0xff, 0xff, 0xff, 1]),
      ]),
    ),
  choices => property(choices.below(256), choices.bytes(4)),
]

const insertBadString: Mutation = (packets, choices, version) => {
  const bad = field(choices.pick(badStrings))
  const id = u16(1 + choices.below(4))
  const made = choices.pick<() => Buffer>([
    () => frame(0x30, bad, properties(version), Buffer.from('x')),
    () => frame(0x31, bad, properties(version), Buffer.from('x')),
    () => frame(0x32, bad, id, properties(version), Buffer.from('x')),
    () => frame(0x34, bad, id, properties(version)),
    () => frame(0x82, id, properties(version), bad, Buffer.from([choices.pick([0, 1, 2, 3, 0x40])])),
    () => frame(0xa2, id, properties(version), bad),
  ])()
  packets.splice(1 + choices.below(packets.length), 0, made)
}

const badConnect: Mutation = (packets, choices, version) => {
  const bad = field(choices.pick(badStrings))
  const name = field('fuzz5')
  const empty = properties(version)
  packets[0] = choices.pick<() => Buffer>([
    () => connectFrame({ version, payload: [bad] }),
    () => connectFrame({ version, flags: 0x82, payload: [name, bad] }),
    () => connectFrame({ version, flags: 0xc2, payload: [name, bad, bad] }),
    () => connectFrame({ version, flags: 0x0e, payload: [name, empty, bad, field('gone')] }),
    () => connectFrame({ version, flags: 0x26, payload: [name, empty, field('$SYS/broker/x'), bad] }),
    () => connectFrame({ version, flags: choices.below(256), payload: [name, empty, bad, bad, bad] }),
    () =>
      connectFrame({
        version,
        level: choices.below(256),
        protocolName: choices.pick(['MQTT', 'MQIsdp', '']),
        payload: [name],
      }),
  ])()
}

const mutations: readonly [Mutation, ...Mutation[]] = [
  flipBits,
  flipBits,
  truncate,
  resize,
  lieAboutLength,
  lieInside,
  changeHeader,
  duplicate,
  swap,
  remove,
  insertGarbage,
  addProperties,
  addProperties,
  insertBadString,
  insertBadString,
  badConnect,
]
