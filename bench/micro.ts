/**
 * Nanoseconds per call of what the publish path does most, beside the limits of the project where it has any:
 * `npm run bench:micro`. Each figure is the median of nine runs, in
 * processor time.
 */
import { generate } from 'mqtt-packet'
import { Qlobber } from 'qlobber'
import type { LocalSubscription } from '../src/core/ports/routing.ts'
import { TrieLocalIndex } from '../routing/local-index.ts'
import { decodePublish, encodePublish, stampPublish } from '../routing/forward-codec.ts'
import { benchRemote } from './micro-remote.ts'
import { cpuMicros } from './remote-changes.ts'
import { PublishDecoder } from '../src/mqtt/wire/publish-decoder.ts'
import { PublishEncoder } from '../src/mqtt/wire/publish-encoder.ts'

const FILTERS = 10_000
const RUNS = 9
const CALLS = 200_000
/** Many more than the index remembers. */
const TOPICS = 200_000
/** Published by the broker this architecture was first described for, of 10,000 subscriptions, on another machine (16 threads). */
const PUBLISHED_MATCH_NS = 148
const PUBLISHED_WILDCARD_NS = 212

const subscriber = { clientId: 'c', canTakeShared: true, deliver() {} }

function subscription(filter: string): LocalSubscription {
  return {
    filter,
    group: undefined,
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    subscriptionIdentifiers: [],
    subscriber,
  }
}

/** Median nanoseconds of processor time of `call(i)`. */
function measure(call: (i: number) => unknown): number {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const start = cpuMicros()
    for (let i = 0; i < CALLS; i++) call(i)
    runs.push(((cpuMicros() - start) * 1000) / CALLS)
  }
  return runs.sort((a, b) => a - b)[RUNS >> 1] ?? 0
}

function show(what: string, nanoseconds: number, limit?: number): void {
  const verdict = limit === undefined ? '' : `limit ${limit} ns, ${(nanoseconds / limit).toFixed(2)} of it`
  console.log(`${what.padEnd(58)} ${nanoseconds.toFixed(0).padStart(6)} ns  ${verdict}`)
}

const filterOf = (i: number): string => (i % 2 === 0 ? `site/${i}/sensor/temperature` : `site/${i}/+/state/#`)
const index = new TrieLocalIndex()
for (let i = 0; i < FILTERS; i++) index.add(subscription(filterOf(i)))
const fresh = (make: (i: number) => string): string[] =>
  // Out of bytes, as they come from the network: a string put together is a tree until its first use.
  Array.from({ length: TOPICS }, (_, i) => Buffer.from(make(i)).toString())
const exactTopics = fresh(i => `site/${(i * 2) % FILTERS}/sensor/temperature`)
const wildcardTopics = fresh(i => `site/${((i % 5000) * 2 + 1) % FILTERS}/x${i}/state/on`)
const missTopics = fresh(i => `nowhere/${i}/at/all`)

let next = 0
console.log(`local match, ${FILTERS} filters, half of them with wildcards`)
show(
  '  remembered',
  measure(() => index.match('site/2/sensor/temperature')),
  150,
)
const exactNs = measure(i => index.match(exactTopics[i % 5000] as string))
show('  exact, few topics', exactNs, 150)
const wildcardNs = measure(() => index.match(wildcardTopics[next++ % TOPICS] as string))
show('  wildcards, a topic never seen', wildcardNs, 500)
next = 0
show(
  '  no match, a topic never seen',
  measure(() => index.match(missTopics[next++ % TOPICS] as string)),
  500,
)

const trie = new Qlobber<number>({ separator: '/', wildcard_one: '+', wildcard_some: '#' })
for (let i = 0; i < FILTERS; i++) trie.add(filterOf(i), i)
/** Beside what others take for the same. */
function compare(who: string, theirs: number, ours: number): void {
  console.log(
    `  ${who.padEnd(56)} ${theirs.toFixed(0).padStart(6)} ns  ${(theirs / ours).toFixed(1)} times ours`,
  )
}
compare(
  'qlobber, exact',
  measure(i => trie.match(exactTopics[i % 5000] as string)),
  exactNs,
)
next = 0
compare(
  'qlobber, wildcards, a topic never seen',
  measure(() => trie.match(wildcardTopics[next++ % TOPICS] as string)),
  wildcardNs,
)
compare('published elsewhere (another machine): match', PUBLISHED_MATCH_NS, exactNs)
compare('published elsewhere (another machine): wildcards', PUBLISHED_WILDCARD_NS, wildcardNs)

const packet = generate({
  cmd: 'publish',
  topic: 'site/2/sensor/temperature',
  payload: Buffer.alloc(256, 'x'),
  qos: 0,
  dup: false,
  retain: false,
})
const decoder = new PublishDecoder(128)
const bodyStart = packet.length < 130 ? 2 : 3
const publication = {
  topic: 'site/2/sensor/temperature',
  payload: Buffer.alloc(256, 'x'),
  qos: 0,
  retain: false,
  properties: undefined,
  expiresAtMs: undefined,
  publisher: '',
} as const
console.log('codecs, 256 B')
show(
  '  PUBLISH decoded',
  measure(() => decoder.decode(packet, 0, bodyStart, packet.length, 4)),
)
const encoder = new PublishEncoder()
show(
  '  PUBLISH encoded anew',
  measure(() => encoder.encode({ ...publication }, 4, 0, false, 0)),
)
show(
  '  PUBLISH encoded already',
  measure(() => encoder.encode(publication, 4, 0, false, 0)),
)
const frame = encodePublish(publication)
show(
  '  forward frame encoded',
  measure(() => encodePublish(publication)),
)
show(
  '  forward frame stamped',
  measure(() => stampPublish(frame, 0, 0)),
)
show(
  '  forward frame decoded',
  measure(() => decodePublish(frame, 0)),
)
benchRemote((what, value, unit, limit) => {
  const verdict = limit === undefined ? '' : `limit ${limit} ${unit}, ${(value / limit).toFixed(2)} of it`
  console.log(
    `${what.padEnd(58)} ${value.toFixed(value < 100 ? 2 : 0).padStart(6)} ${unit.padEnd(2)}  ${verdict}`,
  )
})
