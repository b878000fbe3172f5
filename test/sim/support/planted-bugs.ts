/**
 * Bugs for the simulator to find, each planted into production objects of a simulated cluster before it begins. They stand
 * for what an engineer might get wrong; the tests say which checker has to notice. Prototypes may be changed: the thread ends
 * with the run.
 */
import { Presence } from '../../../coordination/presence.ts'
import { ClientConnection } from '../../../src/mqtt/client-connection.ts'
import { SessionSubscriptions } from '../../../src/mqtt/session-subscriptions.ts'
import { Session } from '../../../src/mqtt/session.ts'
import { WillScheduler } from '../../../src/mqtt/will-scheduler.ts'
import type { BrokerNode } from '../../../src/node/broker-node.ts'
import type { World } from '../../../sim/world/world.ts'

type Plant = (world: World) => void

/** Into every process. */
function inBrokers(plant: (broker: BrokerNode) => void): Plant {
  return world => (world.onProcess = plant)
}

function forgetCommitted({ nodes }: World): void {
  for (const { disk } of nodes) {
    const crash = disk.crash.bind(disk)
    disk.crash = () => {
      crash()
      for (const key of [...disk.entries.keys()].slice(-20)) disk.entries.delete(key)
    }
  }
}

function forwardNotAll({ forwarder }: BrokerNode): void {
  let count = 0
  const forward = forwarder.forward.bind(forwarder)
  forwarder.forward = (...args) => {
    if (++count % 50 !== 0) forward(...args)
  }
}

function makeUp({ router }: BrokerNode): void {
  let count = 0
  const publish = router.publish.bind(router)
  router.publish = (publication, acceptance) => {
    const isMadeUp = publication.qos === 1 && ++count % 50 === 0
    publish(isMadeUp ? { ...publication, payload: Buffer.from('made up') } : publication, acceptance)
  }
}

/** Every 50th message at that QoS goes to the clients here twice. */
function deliverTwice(qos: 1 | 2): (broker: BrokerNode) => void {
  return ({ localRouter }) => {
    let count = 0
    const deliver = localRouter.deliverOrdinary.bind(localRouter)
    localRouter.deliverOrdinary = publication => {
      const sequence = deliver(publication)
      return publication.qos === qos && ++count % 50 === 0 ? deliver(publication) : sequence
    }
  }
}

function overtake({ localRouter }: BrokerNode): void {
  let count = 0
  let held: (() => void) | undefined
  const deliver = localRouter.deliverOrdinary.bind(localRouter)
  localRouter.deliverOrdinary = publication => {
    if (publication.qos === 1 && held === undefined && ++count % 20 === 0) {
      held = () => deliver({ ...publication, payload: Buffer.from(publication.payload) })
      return 0
    }
    const sequence = deliver(publication)
    if (publication.qos === 1 && count % 20 === 10) {
      held?.()
      held = undefined
    }
    if (publication.qos === 1 && held !== undefined) count++
    return sequence
  }
}

function keepOldConnections(broker: BrokerNode): void {
  const accept = broker.accept.bind(broker)
  broker.accept = stream => {
    accept(stream)
    for (const connection of broker.mqtt.sessions.connections) connection.takeOver = () => undefined
  }
}

function beginAnew({ coordinator }: BrokerNode): void {
  const claim = coordinator.claim.bind(coordinator)
  coordinator.claim = async request => {
    const answer = await claim(request)
    return answer.status === 'claimed'
      ? { ...answer, resumableToken: undefined, isTransferred: false }
      : answer
  }
}

function keepRetainedToItself({ mqtt }: BrokerNode): void {
  mqtt.retained.apply = () => true
}

function passGroupsBy({ localRouter }: BrokerNode): void {
  localRouter.deliverToMember = () => 0
}

/** Every 20th of those that go to a member here goes to the next one as well. */
function serveTwoMembers({ localRouter }: BrokerNode): void {
  let count = 0
  const deliver = localRouter.deliverToMember.bind(localRouter)
  localRouter.deliverToMember = (...args) => {
    const sequence = deliver(...args)
    return ++count % 20 === 0 ? deliver(...args) : sequence
  }
}

/** What a member's session leaves is dropped with it. */
function forgetLegacies(): void {
  Session.prototype.legacy = () => []
}

function ignoreReceiveMaximum(): void {
  const established = Object.getOwnPropertyDescriptor(ClientConnection.prototype, 'established')
    ?.value as ClientConnection['established']
  ClientConnection.prototype.established = function (session, terms) {
    established.call(this, session, { ...terms, inflightMax: 1000 })
  }
}

function neverExpire({ router }: BrokerNode): void {
  const publish = router.publish.bind(router)
  router.publish = (publication, acceptance) => {
    const isFading = publication.expiresAtMs !== undefined
    publish(isFading ? { ...publication, expiresAtMs: undefined } : publication, acceptance)
  }
}

function believeInLease({ service }: World): void {
  service.keepAlive = () => 'alive'
  Presence.prototype.onKeyAbsent = () => undefined
}

/** Once it had to stop acknowledging, it waits for somebody to restart it. */
function staySuspended({ coordinator }: BrokerNode): void {
  const mayAcknowledge = coordinator.mayAcknowledge.bind(coordinator)
  let wasActive = false
  let isSuspended = false
  coordinator.mayAcknowledge = () => {
    const isActive = mayAcknowledge()
    isSuspended ||= wasActive && !isActive
    wasActive ||= isActive
    return isActive && !isSuspended
  }
}

function missDamage({ nodes }: World): void {
  for (const { disk } of nodes) {
    let isDamaged = false
    Object.defineProperty(disk, 'isDamaged', { get: () => isDamaged })
    disk.flipBit = () => {
      isDamaged = true
      return () => (isDamaged = false)
    }
  }
}

/** DISCONNECT is taken for a lost connection. */
function ignoreFarewells(): void {
  const leave = Object.getOwnPropertyDescriptor(ClientConnection.prototype, 'leave')
    ?.value as ClientConnection['leave']
  ClientConnection.prototype.leave = function () {
    leave.call(this, true)
  }
}

/** Seconds by which wills come late. */
const LATE_SECONDS = 25 * 60

function delayWills(): void {
  const lost = Object.getOwnPropertyDescriptor(WillScheduler.prototype, 'connectionLost')
    ?.value as WillScheduler['connectionLost']
  WillScheduler.prototype.connectionLost = function (owner, will, isReplaced) {
    lost.call(this, owner, { ...will, delaySeconds: will.delaySeconds + LATE_SECONDS }, isReplaced)
  }
}

function keepWhatLeft({ mqtt }: BrokerNode): void {
  mqtt.sessions.moves.forget = () => undefined
}

function throwOnce(world: World): void {
  let count = 0
  world.onProcess = ({ router }) => {
    const publish = router.publish.bind(router)
    router.publish = (...args) => {
      if (++count === 100) throw new Error('planted')
      publish(...args)
    }
  }
}

export const plantedBugs = {
  'disks forget what they had committed': forgetCommitted,
  'messages to other nodes are acknowledged and not sent': inBrokers(forwardNotAll),
  'messages are made up': inBrokers(makeUp),
  'a QoS 2 message is delivered twice': inBrokers(deliverTwice(2)),
  'a QoS 1 message is delivered twice': inBrokers(deliverTwice(1)),
  'a message is overtaken by later ones': inBrokers(overtake),
  'nobody is disconnected by a later CONNECT': inBrokers(keepOldConnections),
  'sessions are begun anew': inBrokers(beginAnew),
  'UNSUBSCRIBE does nothing': () => (SessionSubscriptions.prototype.remove = () => true),
  'retained messages of other nodes are ignored': inBrokers(keepRetainedToItself),
  'payloads that other nodes keep are not fetched': inBrokers(({ retainedPlacement }) => {
    retainedPlacement.fetch = (_entry, done) => done(undefined)
  }),
  'wills are forgotten': () => (WillScheduler.prototype.connectionLost = () => undefined),
  'a DISCONNECT is taken for a lost connection': ignoreFarewells,
  'a will is published though its client is back': () => (WillScheduler.prototype.cancel = () => undefined),
  'wills come 25 minutes late': delayWills,
  'shared groups get nothing': inBrokers(passGroupsBy),
  'two members of a group get a message': inBrokers(serveTwoMembers),
  'what the session of a member leaves is dropped': forgetLegacies,
  'Receive Maximum is ignored': ignoreReceiveMaximum,
  'expiry intervals are ignored': inBrokers(neverExpire),
  'a lost lease goes unnoticed': believeInLease,
  'a node that was cut off stays suspended': inBrokers(staySuspended),
  'damage on disk goes unnoticed': missDamage,
  'sessions that moved are kept': inBrokers(keepWhatLeft),
  'production code throws': throwOnce,
} satisfies Record<string, Plant>

export type PlantedBug = keyof typeof plantedBugs
