import assert from 'node:assert/strict'
import fc from 'fast-check'
import { generate, parser, type IConnectPacket, type Packet } from 'mqtt-packet'
import { decodeConnect, type ConnectPacket } from '../../../src/mqtt/wire/connect-decoder.ts'

type Wanted = Omit<IConnectPacket, 'cmd'>

/** With Remaining Length in as many bytes as it takes. */
function encode(packet: Wanted): Buffer {
  return generate({ cmd: 'connect', ...packet }, { protocolVersion: packet.protocolVersion ?? 4 })
}

function bodyStartOf(bytes: Buffer): number {
  let at = 1
  while ((bytes[at] as number) >= 0x80) at++
  return at + 1
}

function decode(bytes: Buffer): ConnectPacket {
  const decoded = decodeConnect(bytes, bodyStartOf(bytes), bytes.length)
  return 'packet' in decoded ? decoded.packet : assert.fail(decoded.fault.detail)
}

/** What mqtt-packet reads, in our words. */
function read(bytes: Buffer): ConnectPacket {
  let packet: Packet | undefined
  const once = parser()
  once.on('packet', found => (packet = found))
  once.parse(bytes)
  assert.ok(packet?.cmd === 'connect')
  const { properties, will } = packet
  return {
    version: packet.protocolVersion ?? 4,
    clientId: packet.clientId,
    cleanStart: packet.clean ?? false,
    keepAliveSeconds: packet.keepalive ?? 0,
    sessionExpirySeconds: properties?.sessionExpiryInterval ?? 0,
    receiveMaximum: properties?.receiveMaximum ?? 65_535,
    packetBytesMax: properties?.maximumPacketSize ?? Infinity,
    topicAliasMax: properties?.topicAliasMaximum ?? 0,
    wantsResponseInformation: properties?.requestResponseInformation ?? false,
    authenticationMethod: properties?.authenticationMethod,
    authenticationData:
      properties?.authenticationData === undefined
        ? undefined
        : new Uint8Array(properties.authenticationData),
    will: will && {
      topic: will.topic,
      payload: new Uint8Array(will.payload as Buffer),
      qos: will.qos ?? 0,
      retain: will.retain ?? false,
      delaySeconds: will.properties?.willDelayInterval ?? 0,
      messageExpirySeconds: will.properties?.messageExpiryInterval,
      properties: undefined,
    },
  }
}

describe('decodeConnect', () => {
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
  const text = fc.string({ unit: fc.constantFrom('a', '/', 'é', '😀', '\uffee', '\ufeff'), maxLength: 40 })
  const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
  const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(arbitrary, { nil: undefined })
  const will = fc.record({
    topic: text.filter(topic => topic !== ''),
    payload: bytes,
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
  })
  const plain = fc.record(
    {
      clientId: text.filter(id => id !== ''),
      clean: fc.boolean(),
      keepalive: fc.integer({ min: 0, max: 65_535 }),
      username: text.filter(name => name !== ''),
    },
    { requiredKeys: ['clientId', 'clean', 'keepalive'] },
  )
  const willProperties = fc.record(
    { willDelayInterval: uint32, messageExpiryInterval: uint32 },
    { requiredKeys: [] },
  )
  const properties = fc.record(
    {
      sessionExpiryInterval: uint32,
      receiveMaximum: fc.integer({ min: 1, max: 65_535 }),
      maximumPacketSize: fc.integer({ min: 1, max: 0xffff_ffff }),
      topicAliasMaximum: fc.integer({ min: 0, max: 65_535 }),
      requestResponseInformation: fc.boolean(),
      requestProblemInformation: fc.boolean(),
      authenticationMethod: text.filter(name => name !== ''),
      authenticationData: bytes,
      userProperties: fc.constant({ a: 'b' }),
    },
    { requiredKeys: [] },
  )

  it('reads what mqtt-packet reads, for 3.1, 3.1.1 and 5.0', () => {
    const packet = fc.oneof(
      fc
        .tuple(plain, optional(will), fc.constantFrom(3 as const, 4 as const))
        .map(([fields, sent, version]): Wanted => ({
          ...fields,
          ...of(version),
          ...(sent && { will: sent }),
        })),
      fc
        .tuple(plain, properties, optional(fc.tuple(will, willProperties)))
        .map(([fields, given, sent]): Wanted => ({
          ...fields,
          ...of(5),
          properties: given,
          ...(sent && { will: { ...sent[0], properties: sent[1] } }),
        })),
    )
    fc.assert(
      fc.property(packet, sent => {
        const encoded = encode(sent)
        assert.deepEqual(decode(encoded), read(encoded))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses a packet that ends anywhere before its end, or goes on behind it', () => {
    const packet = encode({
      ...of(5),
      clientId: 'x',
      clean: true,
      keepalive: 60,
      username: 'name',
      password: Buffer.from('secret'),
      properties: { receiveMaximum: 5, userProperties: { a: 'b' } },
      will: {
        topic: 't',
        payload: Buffer.from('gone'),
        qos: 1,
        retain: false,
        properties: { willDelayInterval: 3 },
      },
    })
    const start = bodyStartOf(packet)
    for (let end = start; end < packet.length; end++)
      assert.ok('fault' in decodeConnect(packet, start, end), `${end}`)
    const longer = Buffer.concat([packet, Buffer.of(0)])
    assert.ok('fault' in decodeConnect(longer, start, longer.length))
  })

  it('keeps of a will the properties that travel with it, in their order, and refers to nothing it was read from', () => {
    const packet = encode({
      ...of(5),
      clientId: 'x',
      clean: true,
      will: {
        topic: 't',
        payload: Buffer.from('gone'),
        qos: 0,
        retain: false,
        properties: { willDelayInterval: 3, contentType: 'text', userProperties: { b: ['1', '2'], a: '3' } },
      },
    })
    const decoded = decode(packet).will
    packet.fill(0)
    assert.equal(decoded?.delaySeconds, 3)
    assert.deepEqual(decoded.payload, new Uint8Array(Buffer.from('gone')))
    const pair = (name: string, value: string): number[] => [
      0x26,
      0,
      1,
      ...Buffer.from(name),
      0,
      1,
      ...Buffer.from(value),
    ]
    const contentType = [3, 0, 4, ...Buffer.from('text')]
    assert.deepEqual(
      [...(decoded.properties ?? [])],
      [...contentType, ...pair('b', '1'), ...pair('b', '2'), ...pair('a', '3')],
    )
  })
})

function of(protocolVersion: 3 | 4 | 5): Pick<IConnectPacket, 'protocolVersion' | 'protocolId'> {
  return { protocolVersion, protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT' }
}
