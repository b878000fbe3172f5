import assert from 'node:assert/strict'
import { SystemClock } from '../../src/system/system-clock.ts'

describe('SystemClock', () => {
  it('runs no task before it is due, by its own now', async () => {
    const clock = new SystemClock()
    const early = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const delayMs = 1 + i * 0.37
        const dueMs = clock.now() + delayMs
        return new Promise<boolean>(resolve => {
          clock.schedule(delayMs, () => resolve(clock.now() < dueMs))
          // Tasks of the clock do not keep the process alive.
          setTimeout(() => {}, delayMs + 1000)
        })
      }),
    )
    assert.equal(early.filter(isEarly => isEarly).length, 0)
  })
})
