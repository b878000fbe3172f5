import assert from 'node:assert/strict'
import type {
  QueuedRecord,
  SessionJournal,
  SessionRecord,
  StoredSession,
  SubscriptionRecord,
} from '../../src/core/ports/session-journal.ts'
import { until, type Harness } from './harness.ts'

/** A journal that can be closed and opened again on what it kept. */
export interface SessionJournalHarness extends Harness<SessionJournal> {
  reopen(): Promise<SessionJournal>
}

/** What every `SessionJournal` owes its callers. `makeHarness` gives an empty journal. */
export function sessionJournalContract(
  name: string,
  makeHarness: () => Promise<SessionJournalHarness>,
): void {
  describe(`${name} keeps the SessionJournal contract`, function () {
    this.timeout(30_000)
    let harness: SessionJournalHarness
    let journal: SessionJournal

    beforeEach(async () => {
      harness = await makeHarness()
      journal = harness.subject
    })
    afterEach(() => harness.close())

    /** What a restart finds. */
    async function restored(): Promise<StoredSession[]> {
      journal = await harness.reopen()
      return loaded(journal)
    }

    it('loads nothing from an empty store', async () => {
      assert.deepEqual(await loaded(journal), [])
    })

    it('numbers changes, and commits them up to the last', async () => {
      const told: number[] = []
      journal.onCommitted(upTo => told.push(upTo))
      assert.deepEqual([journal.appended, journal.committed], [0, 0])
      const sequences = [
        journal.putSession(session('c')),
        journal.putSubscription('c', subscription('a/b')),
        journal.enqueue('c', message(1)),
        journal.dequeue('c', 1),
        journal.deleteSubscription('c', 'a/b'),
        journal.deleteSession('c'),
      ]
      assert.deepEqual(sequences, [1, 2, 3, 4, 5, 6])
      assert.deepEqual([journal.appended, journal.committed], [6, 0])
      await until(harness, 'the commit', () => journal.committed === 6)
      assert.equal(told.at(-1), 6)
    })

    it('gives a session back as it was put last', async () => {
      journal.putSession(session('c'))
      const last = {
        clientId: 'c',
        token: { epoch: 2, revision: Number.MAX_SAFE_INTEGER },
        expiryIntervalSeconds: 0xffffffff,
        disconnectedAtMs: 1_780_000_000_123,
      }
      journal.putSession(last)
      assert.deepEqual(await restored(), [{ session: last, subscriptions: [], queue: [] }])
    })

    it('gives subscriptions back, each as it was put last', async () => {
      const replaced: SubscriptionRecord = {
        filter: 'a/+/#',
        qos: 1,
        noLocal: true,
        retainAsPublished: true,
        subscriptionIdentifier: 268_435_455,
      }
      journal.putSession(session('c'))
      for (const filter of ['a/+/#', '#', '/', 'a', 'gone', '__proto__']) {
        journal.putSubscription('c', subscription(filter))
      }
      journal.putSubscription('c', replaced)
      journal.deleteSubscription('c', 'gone')
      journal.deleteSubscription('c', 'never there')
      const [stored] = await restored()
      assert.deepEqual(
        byName(stored?.subscriptions ?? [], record => record.filter),
        byName([replaced, ...['#', '/', 'a', '__proto__'].map(subscription)], record => record.filter),
      )
    })

    it('gives messages back in order of position, whatever order they came in', async () => {
      const positions = [1000, 9, 10, 2, 99_999_999_999, 100, Number.MAX_SAFE_INTEGER, 0]
      journal.putSession(session('c'))
      for (const position of positions) journal.enqueue('c', message(position))
      journal.dequeue('c', 10)
      journal.dequeue('c', 10)
      const [stored] = await restored()
      const expected = positions.filter(position => position !== 10).sort((a, b) => a - b)
      assert.deepEqual(stored?.queue.map(plain), expected.map(message).map(plain))
    })

    it('gives every part of a publication back', async () => {
      const full: QueuedRecord = {
        position: 1,
        qos: 1,
        publication: {
          topic: 'größe/漢/😀',
          payload: Uint8Array.from({ length: 256 }, (_, i) => i),
          qos: 2,
          retain: true,
          properties: Uint8Array.of(0x26, 0, 1, 97, 0, 1, 98),
          expiresAtMs: 1_780_000_000_123,
          publisher: 'wer/auch immer 😀',
        },
      }
      const bare: QueuedRecord = {
        ...message(2),
        publication: { ...message(2).publication, payload: new Uint8Array(0) },
      }
      journal.putSession(session('c'))
      journal.enqueue('c', full)
      journal.enqueue('c', bare)
      const [stored] = await restored()
      assert.deepEqual(stored?.queue.map(plain), [full, bare].map(plain))
    })

    it('keeps clients apart whose names are alike, odd, or names of object properties', async () => {
      const names = [
        'a',
        'a/b',
        'a/',
        'a/0',
        'a/1/x',
        'a%2Fb',
        'a b',
        'A',
        '__proto__',
        'constructor',
        'ü',
        '漢',
        '😀',
        '\uffee',
        '%',
        '',
        '+',
        '#',
      ]
      for (const clientId of names) {
        journal.putSession(session(clientId))
        journal.putSubscription(clientId, subscription(`of ${clientId}`))
        journal.enqueue(clientId, message(1))
      }
      const all = await restored()
      assert.deepEqual(all.map(stored => stored.session.clientId).sort(), [...names].sort())
      for (const stored of all) {
        assert.deepEqual(stored.subscriptions, [subscription(`of ${stored.session.clientId}`)])
        assert.equal(stored.queue.length, 1)
      }
      journal.deleteSession('a')
      journal.deleteSession('__proto__')
      const left = (await restored()).map(stored => stored.session.clientId)
      assert.deepEqual(left.sort(), names.filter(name => name !== 'a' && name !== '__proto__').sort())
    })

    it('deletes a session with everything it has, also what an earlier process stored', async () => {
      for (const clientId of ['old', 'kept']) {
        journal.putSession(session(clientId))
        journal.putSubscription(clientId, subscription('x'))
        for (let position = 1; position <= 3; position++) journal.enqueue(clientId, message(position))
      }
      await restored()
      journal.putSubscription('old', subscription('y'))
      journal.enqueue('old', message(4))
      journal.dequeue('old', 2)
      journal.deleteSession('old')
      assert.deepEqual(
        (await restored()).map(stored => stored.session.clientId),
        ['kept'],
      )
      // What is gone does not come back with a new session of the same name.
      journal.putSession(session('old'))
      const old = (await restored()).find(stored => stored.session.clientId === 'old')
      assert.deepEqual(old, { session: session('old'), subscriptions: [], queue: [] })
    })

    it('lets a session be deleted and begun anew in one turn', async () => {
      journal.putSession(session('c'))
      journal.putSubscription('c', subscription('before'))
      journal.enqueue('c', message(1))
      journal.deleteSession('c')
      journal.putSession(session('c'))
      journal.putSubscription('c', subscription('after'))
      assert.deepEqual(await restored(), [
        { session: session('c'), subscriptions: [subscription('after')], queue: [] },
      ])
    })

    it('does not mind the deletion of what is not there', async () => {
      journal.deleteSession('unknown')
      journal.deleteSubscription('unknown', 'a')
      journal.dequeue('unknown', 1)
      assert.deepEqual(await restored(), [])
    })
  })
}

export async function loaded(journal: SessionJournal): Promise<StoredSession[]> {
  const sessions: StoredSession[] = []
  for await (const stored of journal.load()) sessions.push(stored)
  return sessions
}

export function session(clientId: string): SessionRecord {
  return {
    clientId,
    token: { epoch: 1, revision: 7 },
    expiryIntervalSeconds: 60,
    disconnectedAtMs: undefined,
  }
}

export function subscription(filter: string): SubscriptionRecord {
  return { filter, qos: 0, noLocal: false, retainAsPublished: false, subscriptionIdentifier: undefined }
}

export function message(position: number): QueuedRecord {
  const publication = {
    topic: 'a/b',
    payload: Buffer.from(`message ${position}`),
    qos: 1,
    retain: false,
    properties: undefined,
    expiresAtMs: undefined,
    publisher: '',
  } as const
  return { position, qos: 1, publication }
}

/** With plain arrays for bytes, so that `Buffer` and `Uint8Array` compare equal. */
export function plain(record: Omit<QueuedRecord, 'position'>): unknown {
  const { payload, properties } = record.publication
  return {
    ...record,
    publication: { ...record.publication, payload: [...payload], properties: properties && [...properties] },
  }
}

function byName<T>(records: readonly T[], name: (record: T) => string): T[] {
  return [...records].sort((a, b) => (name(a) < name(b) ? -1 : 1))
}
