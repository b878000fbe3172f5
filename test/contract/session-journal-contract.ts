import assert from 'node:assert/strict'
import type {
  QueuedRecord,
  SessionJournal,
  SessionRecord,
  StoredSession,
  SubscriptionRecord,
  WillRecord,
} from '../../src/core/ports/session-journal.ts'
import type { Publication } from '../../src/core/publication.ts'
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
      assert.deepEqual(await restored(), [bare(last)])
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
      assert.deepEqual(messages(stored).map(plain), expected.map(message).map(plain))
    })

    it('gives every part of a publication back', async () => {
      const full: QueuedRecord = {
        position: 1,
        qos: 2,
        retain: true,
        subscriptionIdentifiers: [1, 268_435_455, 7],
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
      const small: QueuedRecord = {
        ...message(2),
        publication: { ...message(2).publication, payload: new Uint8Array(0) },
      }
      journal.putSession(session('c'))
      journal.enqueue('c', full)
      journal.enqueue('c', small)
      const [stored] = await restored()
      assert.deepEqual(messages(stored).map(plain), [full, small].map(plain))
    })

    it('keeps the position of a released message until it is dequeued, and not the message', async () => {
      journal.putSession(session('c'))
      for (let position = 1; position <= 4; position++) journal.enqueue('c', message(position))
      journal.release('c', 2)
      journal.release('c', 3)
      await until(harness, 'the commit', () => journal.committed === journal.appended)
      journal.dequeue('c', 3)
      journal.release('c', 4)
      const [stored] = await restored()
      assert.deepEqual(
        stored?.queue.map(entry => ('isReleased' in entry ? entry : entry.position)),
        [1, { position: 2, isReleased: true }, { position: 4, isReleased: true }],
      )
      journal.dequeue('c', 2)
      journal.dequeue('c', 4)
      const [later] = await restored()
      assert.deepEqual(messages(later).map(plain), [plain(message(1))])
    })

    it('does not bring a position back that is released after it was dequeued', async () => {
      journal.putSession(session('c'))
      journal.enqueue('c', message(1))
      journal.dequeue('c', 1)
      journal.release('c', 1)
      assert.deepEqual(await restored(), [bare(session('c'))])
    })

    it('gives back which QoS 2 identifiers were taken and not released, with the ids of their messages', async () => {
      journal.putSession(session('c'))
      for (const packetId of [65_535, 1, 10, 9])
        journal.putReceived('c', packetId, { incarnation: 2 ** 48 + 1, number: packetId })
      journal.putReceived('c', 1, undefined)
      journal.deleteReceived('c', 10)
      journal.deleteReceived('c', 11)
      const [stored] = await restored()
      assert.deepEqual(
        (stored?.received ?? []).toSorted((a, b) => a.packetId - b.packetId),
        [
          { packetId: 1, id: undefined },
          { packetId: 9, id: { incarnation: 2 ** 48 + 1, number: 9 } },
          { packetId: 65_535, id: { incarnation: 2 ** 48 + 1, number: 65_535 } },
        ],
      )
      journal.deleteReceived('c', 65_535)
      journal.putReceived('c', 10, undefined)
      const [later] = await restored()
      assert.deepEqual(
        (later?.received ?? []).map(({ packetId }) => packetId).toSorted((a, b) => a - b),
        [1, 9, 10],
      )
    })

    it('gives back which publications a session has had, until all of that is deleted', async () => {
      const id = { incarnation: 2 ** 48 + 1, number: 2 ** 48 + 2 }
      journal.putSession(session('c'))
      journal.putKnown('c', { id: { incarnation: 3, number: 9 } })
      journal.putKnown('c', { id })
      journal.putKnown('c', { id })
      const [stored] = await restored()
      assert.deepEqual(
        stored?.known.toSorted((a, b) => a.id.number - b.id.number),
        [{ id: { incarnation: 3, number: 9 } }, { id }],
      )
      journal.deleteKnown('c')
      assert.deepEqual(await restored(), [bare(session('c'))])
    })

    it('gives the will back as it was put last, and none once it was deleted', async () => {
      const last: WillRecord = {
        publication: { ...will().publication, topic: 'other', properties: Uint8Array.of(1, 1) },
        messageExpirySeconds: 0xffffffff,
        delaySeconds: 0,
      }
      journal.putSession(session('c'))
      journal.putWill('c', will())
      journal.putWill('c', last)
      const [stored] = await restored()
      assert.deepEqual(stored?.will && plain(stored.will), plain(last))
      journal.deleteWill('c')
      const [without] = await restored()
      assert.deepEqual(without, bare(session('c')))
      journal.putWill('c', will())
      const [again] = await restored()
      assert.deepEqual(again?.will && plain(again.will), plain(will()))
    })

    it('makes what is changed atomically one change, with one sequence', async () => {
      journal.putSession(session('a'))
      const sequences: number[] = []
      const appended: number[] = []
      journal.atomically(() => {
        appended.push(journal.appended)
        sequences.push(journal.putSession(session('b')))
        appended.push(journal.appended)
        sequences.push(journal.enqueue('a', message(1)), journal.enqueue('b', message(1)))
        sequences.push(
          journal.putReceived('a', 3, undefined),
          journal.release('b', 1),
          journal.deleteSession('gone'),
        )
        appended.push(journal.appended)
      })
      assert.deepEqual(sequences, [2, 2, 2, 2, 2, 2])
      assert.deepEqual(appended, [1, 2, 2])
      assert.equal(journal.appended, 2)
      assert.equal(journal.dequeue('a', 1), 3)
      await until(harness, 'the commit', () => journal.committed === 3)
      const all = byName(await restored(), stored => stored.session.clientId)
      assert.deepEqual(all, [
        { ...bare(session('a')), received: [{ packetId: 3, id: undefined }] },
        { ...bare(session('b')), queue: [{ position: 1, isReleased: true }] },
      ])
    })

    it('makes no change when nothing is changed atomically, also after one that was', async () => {
      journal.atomically(() => undefined)
      assert.equal(journal.appended, 0)
      journal.atomically(() => void journal.putSession(session('c')))
      journal.atomically(() => undefined)
      assert.equal(journal.appended, 1)
      assert.deepEqual(await restored(), [bare(session('c'))])
    })

    it('keeps what its calls leave, however they follow each other and wherever they are committed', async () => {
      journal.putSession(session('c'))
      const expected = new Map<number, 'queued' | 'released'>()
      // A fixed walk over few positions, so that they come, go and come again within a group and across groups.
      for (let step = 0, state = 1; step < 2000; step++) {
        state = (state * 48_271) % 2_147_483_647
        const position = state % 7
        const action = (state >> 8) % 4
        if (action === 0) {
          journal.dequeue('c', position)
          expected.delete(position)
        } else if (action === 1 && expected.has(position)) {
          journal.release('c', position)
          expected.set(position, 'released')
        } else if (action > 1) {
          journal.enqueue('c', message(position))
          expected.set(position, 'queued')
        }
        if (step % 97 === 0) await harness.advance(1)
        if (step % 500 === 499) {
          const [stored] = await restored()
          assert.deepEqual(
            stored?.queue.map(entry => [entry.position, 'isReleased' in entry ? 'released' : 'queued']),
            [...expected].sort(([a], [b]) => a - b),
          )
        }
      }
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
        journal.putReceived(clientId, 5, undefined)
      }
      const all = await restored()
      assert.deepEqual(all.map(stored => stored.session.clientId).sort(), [...names].sort())
      for (const stored of all) {
        assert.deepEqual(stored.subscriptions, [subscription(`of ${stored.session.clientId}`)])
        assert.equal(stored.queue.length, 1)
        assert.deepEqual(stored.received, [{ packetId: 5, id: undefined }])
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
        journal.release(clientId, 3)
        journal.putReceived(clientId, 1, undefined)
        journal.putWill(clientId, will())
      }
      await restored()
      journal.putSubscription('old', subscription('y'))
      journal.enqueue('old', message(4))
      journal.dequeue('old', 2)
      journal.putReceived('old', 2, undefined)
      journal.deleteSession('old')
      assert.deepEqual(
        (await restored()).map(stored => stored.session.clientId),
        ['kept'],
      )
      // What is gone does not come back with a new session of the same name.
      journal.putSession(session('old'))
      const old = (await restored()).find(stored => stored.session.clientId === 'old')
      assert.deepEqual(old, bare(session('old')))
    })

    it('lets a session be deleted and begun anew in one turn', async () => {
      journal.putSession(session('c'))
      journal.putSubscription('c', subscription('before'))
      journal.enqueue('c', message(1))
      journal.deleteSession('c')
      journal.putSession(session('c'))
      journal.putSubscription('c', subscription('after'))
      assert.deepEqual(await restored(), [{ ...bare(session('c')), subscriptions: [subscription('after')] }])
    })

    describe('for a session that is handed over by another node', () => {
      const origin = { nodeId: 'other', token: { epoch: 1, revision: 3 } }

      /** One of everything, beside a session of the same name that has something else. */
      function stageBeside(): void {
        journal.putSession(session('c'))
        journal.enqueue('c', message(1))
        journal.beginStaged(session('c'), origin)
        journal.stage('c', { type: 'subscription', subscription: subscription('a') })
        journal.stage('c', { type: 'entry', entry: message(1), wasSent: false })
        journal.stage('c', { type: 'entry', entry: { position: 2, isReleased: true }, wasSent: true })
        journal.stage('c', { type: 'received', packetId: 5, id: undefined })
        journal.stage('c', { type: 'received', packetId: 6, id: { incarnation: 3, number: 9 } })
        journal.stage('c', { type: 'known', id: { incarnation: 3, number: 9 } })
        journal.stage('c', { type: 'will', will: will() })
      }

      it('keeps what is staged apart from the session of that name', async () => {
        stageBeside()
        journal.dequeue('c', 1)
        const all = await restored()
        assert.equal(all.length, 2)
        assert.deepEqual(
          all.find(({ staged }) => staged === undefined),
          bare(session('c')),
        )
        const staged = all.find(stored => stored.staged !== undefined)
        assert.deepEqual(staged?.staged, origin)
        assert.deepEqual(staged.subscriptions, [subscription('a')])
        assert.deepEqual(
          staged.queue.map(({ position }) => position),
          [1, 2],
        )
        assert.deepEqual(staged.received, [
          { packetId: 5, id: undefined },
          { packetId: 6, id: { incarnation: 3, number: 9 }, isFromElsewhere: true },
        ])
        assert.deepEqual(staged.known, [{ id: { incarnation: 3, number: 9 } }])
        assert.ok(staged.will !== undefined)
      })

      it('puts it in the place of the session at once, also when it was staged by an earlier process', async () => {
        stageBeside()
        await restored()
        const token = { epoch: 1, revision: 9 }
        assert.equal(journal.activateStaged({ ...session('c'), token }), journal.appended)
        journal.enqueue('c', message(3))
        journal.dequeue('c', 1)
        const [stored, ...others] = await restored()
        assert.deepEqual(others, [])
        assert.deepEqual([stored?.staged, stored?.session], [undefined, { ...session('c'), token }])
        assert.deepEqual(
          stored?.queue.map(({ position }) => position),
          [2, 3],
        )
        journal.deleteSession('c')
        assert.deepEqual(await restored(), [])
      })

      it('replaces what was staged before, and discards it without touching the session', async () => {
        stageBeside()
        journal.beginStaged(session('c'), origin)
        const again = (await restored()).find(({ staged }) => staged !== undefined)
        assert.deepEqual(again, { staged: origin, ...bare(session('c')) })
        journal.discardStaged('c')
        journal.discardStaged('unknown')
        const [left, ...others] = await restored()
        assert.deepEqual([left?.staged, left?.queue.length, others], [undefined, 1, []])
      })

      it('can go on so for ever, each in the place of the one before', async () => {
        for (let round = 1; round <= 5; round++) {
          journal.beginStaged(session('c'), origin)
          journal.stage('c', { type: 'subscription', subscription: subscription(`round ${round}`) })
          journal.activateStaged(session('c'))
        }
        const all = await restored()
        assert.deepEqual(all, [{ ...bare(session('c')), subscriptions: [subscription('round 5')] }])
      })
    })

    it('gives the marks of a session on its way back', async () => {
      const token = { epoch: 2, revision: 5 }
      const marked: SessionRecord = {
        ...session('c'),
        departure: { to: 'node-2', nextPosition: 2 ** 40 },
        tails: [{ from: 'node-1', token, position: 7 }],
      }
      journal.putSession(marked)
      assert.deepEqual(await restored(), [bare(marked)])
      journal.putSession(session('c'))
      assert.deepEqual(await restored(), [bare(session('c'))])
    })

    it('keeps of a session that is over the messages it bequeaths, and nothing else', async () => {
      const shared = { group: 'g', filter: 'a/#' }
      journal.putSession(session('c'))
      journal.putSubscription('c', subscription('a/b'))
      for (const position of [1, 2, 3]) journal.enqueue('c', { ...message(position), target: shared })
      journal.putReceived('c', 7, undefined)
      journal.putWill('c', will())
      journal.bequeath(session('c'), [1, 3])
      const [estate, ...others] = await restored()
      assert.deepEqual(others, [])
      assert.equal(typeof estate?.estate, 'number')
      assert.deepEqual(
        messages(estate).map(({ position, target }) => [position, target]),
        [
          [1, shared],
          [3, shared],
        ],
      )
      assert.deepEqual([estate?.subscriptions, estate?.received, estate?.will], [[], [], undefined])
    })

    it('keeps estates beside later sessions of that name, staged ones included, until they are empty', async () => {
      const bequeathed = [1, 2].map(round => {
        journal.putSession(session('c'))
        for (const position of [round, 9]) journal.enqueue('c', message(position))
        return journal.bequeath(session('c'), [round, 9])
      })
      journal.putSession(session('c'))
      journal.enqueue('c', message(5))
      journal.beginStaged(session('c'), { nodeId: 'n', token: { epoch: 1, revision: 3 } })
      journal.stage('c', { type: 'entry', entry: message(6), wasSent: false })
      journal.dequeueEstate(bequeathed[0] ?? 0, [9])
      const found = await restored()
      const positionsOf = (stored: StoredSession): number[] =>
        messages(stored).map(({ position }) => position)
      const estates = found.filter(({ estate }) => estate !== undefined)
      assert.deepEqual(byName(estates.map(positionsOf), String), [[1], [2, 9]])
      assert.deepEqual(found.filter(({ staged }) => staged !== undefined).map(positionsOf), [[6]])
      assert.deepEqual(
        found.filter(({ staged, estate }) => staged === undefined && estate === undefined).map(positionsOf),
        [[5]],
      )
      for (const stored of estates) journal.dequeueEstate(stored.estate ?? 0, positionsOf(stored))
      journal.activateStaged(session('c'))
      assert.deepEqual((await restored()).map(positionsOf), [[6]])
    })

    it('keeps as an estate what a session that goes on never had', async () => {
      journal.putSession(session('c'))
      journal.enqueue('c', message(1))
      const estate = journal.leave(session('c'), [message(4), message(5)])
      journal.dequeueEstate(estate, [4])
      const found = await restored()
      assert.deepEqual(
        byName(
          found.map(stored => messages(stored).map(({ position }) => position)),
          String,
        ),
        [[1], [5]],
      )
      assert.equal(found.filter(stored => stored.estate !== undefined).length, 1)
    })

    it('does not mind the deletion of what is not there', async () => {
      journal.deleteSession('unknown')
      journal.deleteSubscription('unknown', 'a')
      journal.dequeue('unknown', 1)
      journal.deleteReceived('unknown', 1)
      journal.deleteKnown('unknown')
      journal.deleteWill('unknown')
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
  return { position, qos: 1, retain: false, subscriptionIdentifiers: [], publication }
}

export function will(): WillRecord {
  const { publication } = message(1)
  return {
    publication: { ...publication, topic: 'last/words' },
    messageExpirySeconds: undefined,
    delaySeconds: 30,
  }
}

/** A stored session that has nothing but itself. */
function bare(record: SessionRecord): StoredSession {
  return { session: record, subscriptions: [], queue: [], received: [], known: [], will: undefined }
}

/** The queue of a session in which nothing was released. */
function messages(stored: StoredSession | undefined): QueuedRecord[] {
  return (stored?.queue ?? []).map(entry =>
    'isReleased' in entry ? assert.fail(`position ${entry.position} was released`) : entry,
  )
}

/** With plain arrays for bytes, so that `Buffer` and `Uint8Array` compare equal. */
export function plain(record: { readonly publication: Publication }): unknown {
  const { payload, properties } = record.publication
  return {
    ...record,
    publication: { ...record.publication, payload: [...payload], properties: properties && [...properties] },
  }
}

function byName<T>(records: readonly T[], name: (record: T) => string): T[] {
  return [...records].sort((a, b) => (name(a) < name(b) ? -1 : 1))
}
