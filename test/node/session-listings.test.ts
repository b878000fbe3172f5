import assert from 'node:assert/strict'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { limits } from '../../src/core/limits.ts'
import type { SessionPage, SessionQuery } from '../../src/core/ports/node-control.ts'
import { SessionListings } from '../../src/node/session-listings.ts'

const all: SessionQuery = { prefix: '', connected: undefined, limit: 10 }

describe('SessionListings', () => {
  let sessions: Map<string, { clientId: string; isConnected: boolean }>
  let listings: SessionListings

  beforeEach(() => {
    sessions = new Map()
    listings = new SessionListings(
      {
        held: () => sessions.values(),
        describe: clientId => {
          const session = sessions.get(clientId)
          return (
            session && {
              clientId,
              connected: session.isConnected,
              remote: undefined,
              subscriptions: 0,
              queued: 0,
              inflight: 0,
              expiryIntervalSeconds: 1,
              disconnectedAtMs: undefined,
            }
          )
        },
      },
      new SeededRandom(1),
    )
  })

  const add = (count: number, prefix = 'client', isConnected = false): void => {
    for (let i = 0; i < count; i++)
      sessions.set(`${prefix}-${i}`, { clientId: `${prefix}-${i}`, isConnected })
  }
  const ids = (page: SessionPage): string[] => page.sessions.map(({ clientId }) => clientId)
  /** Every page of a listing. */
  const pages = (query: SessionQuery, between: (page: SessionPage) => void = () => {}): SessionPage[] => {
    const found: SessionPage[] = []
    let page: SessionPage | undefined = listings.first(query)
    while (page !== undefined) {
      found.push(page)
      between(page)
      page = page.next === undefined ? undefined : listings.more(page.next)
    }
    return found
  }

  it('shows every session once, in pages no longer than asked for', () => {
    add(35)
    const listed = pages(all)
    assert.ok(listed.every(page => page.sessions.length <= 10))
    assert.deepEqual(listed.flatMap(ids), [...sessions.keys()])
  })

  it('filters by prefix and by connection', () => {
    add(12, 'a')
    add(12, 'b', true)
    sessions.set('__proto__', { clientId: '__proto__', isConnected: true })
    assert.equal(pages({ ...all, prefix: 'a-' }).flatMap(ids).length, 12)
    assert.equal(pages({ ...all, connected: true }).flatMap(ids).length, 13)
    assert.deepEqual(pages({ ...all, prefix: '__proto__' }).flatMap(ids), ['__proto__'])
    assert.equal(pages({ ...all, prefix: 'a-', connected: true }).flatMap(ids).length, 0)
  })

  it('goes on over sessions that come and go between pages', () => {
    add(40)
    const shown = pages(all, page => {
      if (page.sessions.length === 0) return
      sessions.delete(ids(page)[0] ?? '')
      sessions.delete('client-39')
    }).flatMap(ids)
    assert.equal(new Set(shown).size, shown.length)
    assert.deepEqual(
      shown,
      Array.from({ length: 39 }, (_, i) => `client-${i}`),
    )
  })

  it('looks at a bounded number of sessions for one page', () => {
    add(limits.sessionsLookedAtPerPageMax + 5)
    add(1, 'rare')
    const first = listings.first({ ...all, prefix: 'rare' })
    assert.deepEqual(ids(first), [])
    assert.deepEqual(ids(listings.more(first.next ?? '') ?? first), ['rare-0'])
  })

  it('gives a page once, and gives the oldest listing up for later ones', () => {
    add(20)
    const { next = '' } = listings.first(all)
    assert.ok(listings.more(next))
    assert.equal(listings.more(next), undefined)
    const oldest = listings.first(all).next ?? ''
    for (let i = 0; i < limits.sessionListingsOpenMax; i++) listings.first(all)
    assert.equal(listings.more(oldest), undefined)
    assert.equal(listings.more('made up'), undefined)
  })
})
