import assert from 'node:assert/strict'
import type { RetainedEntry, RetainedJournal } from '../../src/core/ports/retained.ts'
import type { SessionJournal } from '../../src/core/ports/session-journal.ts'
import { until, type Harness } from './harness.ts'
import { message, plain, session } from './session-journal-contract.ts'

/** A journal that can be closed and opened again on what it kept. */
export interface RetainedHarness extends Harness<RetainedJournal> {
  /** The session journal of the same store. */
  readonly sessions: SessionJournal
  reopen(): Promise<RetainedJournal>
}

/** What every `RetainedJournal` owes its callers. `makeHarness` gives an empty journal. */
export function retainedJournalContract(name: string, makeHarness: () => Promise<RetainedHarness>): void {
  describe(`${name} keeps the RetainedJournal contract`, function () {
    this.timeout(30_000)
    let harness: RetainedHarness
    let journal: RetainedJournal

    beforeEach(async () => {
      harness = await makeHarness()
      journal = harness.subject
    })
    afterEach(() => harness.close())

    /** What a restart finds, by topic. */
    async function restored(): Promise<unknown[]> {
      journal = await harness.reopen()
      const found: RetainedEntry[] = []
      for await (const publication of journal.load()) found.push(publication)
      return found.sort((a, b) => (a.topic < b.topic ? -1 : 1)).map(comparable)
    }

    it('loads nothing from an empty store', async () => {
      assert.deepEqual(await restored(), [])
    })

    it('gives back the last entry of each topic, with every part of it, deletions too', async () => {
      const full: RetainedEntry = {
        topic: 'größe/漢/😀',
        payload: Uint8Array.from({ length: 256 }, (_, i) => i),
        qos: 2,
        retain: true,
        properties: Uint8Array.of(0x26, 0, 1, 97, 0, 1, 98),
        expiresAtMs: 1_780_000_000_123,
        publisher: 'wer auch immer',
        stamp: { time: 2 ** 52 + 1, incarnation: 2 ** 48 + 3 },
      }
      const odd = ['/', '//', '__proto__', 'a', 'a/', 'a/b', ' ', '%2F'].map(retained)
      for (const publication of odd) journal.put({ ...publication, payload: Buffer.from('earlier') })
      const deletion = { ...retained('gone'), payload: new Uint8Array(0) }
      for (const publication of [...odd, full, deletion]) journal.put(publication)
      const expected = [...odd, full, deletion].sort((a, b) => (a.topic < b.topic ? -1 : 1))
      assert.deepEqual(await restored(), expected.map(comparable))
    })

    it('gives back a message whose payload is elsewhere as such, and whole again once that is here', async () => {
      const whole = retained('large')
      const absent = { ...whole, payload: new Uint8Array(0), absentBytes: 70_000 }
      journal.put(whole)
      journal.put(absent)
      assert.deepEqual(await restored(), [comparable(absent)])
      journal.put(whole)
      assert.deepEqual(await restored(), [comparable(whole)])
    })

    it('removes messages, and does not mind when there is none', async () => {
      for (const topic of ['a', 'a/b', 'c']) journal.put(retained(topic))
      journal.delete('a')
      journal.delete('never')
      assert.deepEqual(await restored(), ['a/b', 'c'].map(retained).map(comparable))
      journal.delete('c')
      journal.put(retained('a'))
      assert.deepEqual(await restored(), ['a', 'a/b'].map(retained).map(comparable))
    })

    it('shares its numbers with the session journal of the same store', async () => {
      const { sessions } = harness
      assert.equal(journal.put(retained('a')), 1)
      assert.equal(sessions.putSession(session('c')), 2)
      assert.equal(journal.delete('a'), 3)
      assert.equal(sessions.appended, 3)
      await until(harness, 'the commit', () => sessions.committed === 3)
    })

    it('joins what the session journal changes atomically', async () => {
      const { sessions } = harness
      sessions.putSession(session('c'))
      const sequences: number[] = []
      sessions.atomically(() => {
        sequences.push(
          journal.put(retained('a')),
          sessions.enqueue('c', message(1)),
          journal.put(retained('b')),
        )
        sequences.push(journal.delete('a'), sessions.appended)
      })
      assert.deepEqual(sequences, [2, 2, 2, 2, 2])
      assert.equal(sessions.appended, 2)
      assert.deepEqual(await restored(), [comparable(retained('b'))])
    })
  })
}

function retained(topic: string): RetainedEntry {
  const stamp = { time: topic.length + 1, incarnation: 7 }
  return { ...message(1).publication, topic, payload: Buffer.from(`on ${topic}`), retain: true, stamp }
}

function comparable({ stamp, absentBytes, ...publication }: RetainedEntry): unknown {
  return { stamp, absentBytes, ...Object(plain({ publication })) }
}
