import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { untilAtRest } from '../../../sim/calibrate/at-rest.ts'
import type { Lab } from '../../../sim/calibrate/lab.ts'

/** An admin interface that answers each look with the next of these, and then with the last one again. */
async function withAdmin(
  answers: readonly object[],
  use: (url: string, looks: () => number) => Promise<void>,
): Promise<void> {
  let looks = 0
  const server = createServer((_request, response) => {
    response.end(JSON.stringify(answers[Math.min(looks++, answers.length - 1)]))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => looks)
  } finally {
    await new Promise(resolve => server.close(resolve))
  }
}

function labWith(signal: AbortSignal): Lab {
  return { cores: null, windowMs: 1, repetitions: 1, size: 1, signal, progress: () => {} }
}

const follows = { census: null }
const counts = { census: { sessions: null } }
const counted = { census: { sessions: [] } }

describe('untilAtRest', () => {
  it('waits for the leader to have counted, whichever of the nodes it is', async () => {
    await withAdmin([follows], async follower => {
      await withAdmin([follows, counts, counted], async (leader, looks) => {
        await untilAtRest(labWith(new AbortController().signal), [follower, leader])
        assert.equal(looks(), 3)
      })
    })
  })

  it('ends with the calibration', async () => {
    const stop = new AbortController()
    await withAdmin([follows], async follower => {
      const waiting = untilAtRest(labWith(stop.signal), [follower])
      stop.abort(new Error('stopped'))
      await assert.rejects(waiting, /stopped/)
    })
  })
})
