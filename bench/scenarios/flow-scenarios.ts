import { acknowledgedWindow, flowScenario, pairs } from './flow-scenario.ts'
import type { Scenario } from './scenario.ts'

/** The scenarios that are one stream of messages each. */
export const flowScenarios: readonly Scenario[] = [
  flowScenario({
    id: 'one-to-one',
    title: 'One to one, QoS 0',
    description: '10 publishers, each to a subscriber of its own; 256 B; closed loop',
    spec: pairs,
    budgets: [{ kind: 'times', peer: 'mosquitto', factor: 6 }],
  }),
  flowScenario({
    id: 'fan-in',
    title: 'Fan-in, QoS 0',
    description: '100 publishers, each its own topic, to one subscriber of a wildcard; 256 B; closed loop',
    spec: { ...pairs, shape: 'fan-in', publishers: 100, subscribers: 1, window: 64 },
  }),
  flowScenario({
    id: 'fan-out',
    title: 'Fan-out 1 → 1000, QoS 0',
    description: '1 publisher to 1000 subscribers; 256 B; closed loop',
    spec: { ...pairs, shape: 'fan-out', publishers: 1, subscribers: 1000, window: 128 },
    budgets: [{ kind: 'times', peer: 'mosquitto', factor: 15 }],
  }),
  flowScenario({
    id: 'shared',
    title: 'Shared subscription, QoS 0',
    description: '10 publishers to one group of 10 members; 256 B; closed loop',
    spec: { ...pairs, shape: 'shared' },
  }),
  flowScenario({
    id: 'qos1',
    title: 'One to one, QoS 1',
    description: '10 publishers, each to a subscriber of its own, clean sessions; 256 B; closed loop',
    spec: { ...pairs, qos: 1, window: acknowledgedWindow },
    budgets: [{ kind: 'times', peer: 'mosquitto', factor: 4 }],
  }),
  flowScenario({
    id: 'qos2',
    title: 'One to one, QoS 2',
    description: '10 publishers, each to a subscriber of its own, clean sessions; 256 B; closed loop',
    spec: { ...pairs, qos: 2, window: acknowledgedWindow },
    budgets: [{ kind: 'times', peer: 'mosquitto', factor: 4 }],
  }),
  flowScenario({
    id: 'qos1-persistent',
    title: 'One to one, QoS 1, persistent sessions',
    description:
      'as qos1, with subscribers whose sessions are stored; Grapevine by storage.sync, the peers in memory',
    spec: { ...pairs, qos: 1, window: acknowledgedWindow, cleanSession: false },
    storageSyncs: ['always', 'batch', 'never'],
  }),
  flowScenario({
    id: 'large-payload',
    title: 'One to one, 64 KiB, QoS 0',
    description: '10 publishers, each to a subscriber of its own; 64 KiB; closed loop',
    spec: { ...pairs, payloadBytes: 64 * 1024, window: 16 },
  }),
  flowScenario({
    id: 'latency',
    title: 'Latency at 20,000 messages/s, QoS 0',
    description:
      '10 publishers, each to a subscriber of its own; 256 B; fixed rate, from the time each was due',
    spec: { ...pairs, ratePerSecond: 20_000 },
    budgets: [{ kind: 'at-most-peer', peer: 'mosquitto' }],
  }),
  flowScenario({
    id: 'latency-qos1',
    title: 'Latency at 10,000 messages/s, QoS 1',
    description:
      '10 publishers, each to a subscriber of its own; 256 B; fixed rate, from the time each was due',
    spec: { ...pairs, qos: 1, ratePerSecond: 10_000 },
  }),
  flowScenario({
    id: 'generator',
    title: 'The load generator itself',
    description:
      'as one-to-one, with the bytes copied from publisher to subscriber by a server that is no broker',
    spec: pairs,
    against: 'bare',
    budgets: [{ kind: 'at-least', value: 2_000_000 }],
  }),
]
