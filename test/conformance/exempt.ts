import type { Specification } from './statement.ts'

const clientOnly = 'binds the client, and a broker cannot see whether it is kept'
const clientReuse = 'binds the client, whose reuse of an identifier looks like a retransmission to a broker'
const fullQos = 'binds brokers without QoS 1 or 2; Grapevine has both'
const oneCopy = 'Grapevine sends one copy with all identifiers, see MQTT-3.3.4-4'
const noOutbound = 'Grapevine makes no MQTT connections to other servers'
const wholeSuite = 'says nothing of its own: every test here speaks only what the specification has'
const innerFault = 'a passing fault inside of the broker cannot be provoked by a client'

/**
 * Why statements have no test. A statement that binds the server and can be seen from outside does not belong here; one that
 * has got a test must leave.
 */
export const exemptions: Readonly<Record<Specification, ReadonlyMap<string, string>>> = {
  '5.0': because(
    [
      clientOnly,
      '3.1.2-20 3.1.2-21 3.2.2-4 3.2.2-5 3.2.2-11 3.2.2-18 3.2.2-21 3.3.2-10 3.3.4-8 4.5.0-2 4.6.0-1',
    ],
    [fullQos, '3.2.2-9 3.2.2-10 3.2.2-12'],
    [oneCopy, '3.3.4-5'],
  ),
  '3.1.1': because(
    [clientOnly, '3.1.2-23 3.14.4-1 3.14.4-2 4.5.0-2 6.0.0-3 7.1.2-1'],
    [clientReuse, '2.3.1-2 2.3.1-3'],
    [innerFault, '4.8.0-2'],
    [noOutbound, '7.0.0-1'],
    [wholeSuite, '7.0.0-2'],
  ),
}

function because(
  ...groups: readonly (readonly [reason: string, numbers: string])[]
): ReadonlyMap<string, string> {
  return new Map(
    groups.flatMap(([reason, numbers]) =>
      numbers.split(' ').map(number => [`MQTT-${number}`, reason] as const),
    ),
  )
}
