import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EventsExhausted, VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { isolated } from '../../sim/world/ambient.ts'
import { simulate } from './support/test-simulations.ts'

const child = fileURLToPath(new URL('trace-hash-child.ts', import.meta.url))
const run = promisify(execFile)

async function hashOf(seed: number): Promise<string> {
  const { stdout } = await run(process.execPath, [child, String(seed)])
  return stdout
}

describe('A simulation', function () {
  this.timeout(120_000)

  it('leaves the same trace in two processes for one seed, and another for another seed', async () => {
    const [one, again, other] = await Promise.all([hashOf(5), hashOf(5), hashOf(6)])
    assert.match(one, /^[0-9a-f]{16}$/)
    assert.equal(one, again)
    assert.notEqual(one, other)
  })

  it('has no real time and no real chance: the globals throw in its thread, and nowhere else', async () => {
    assert.equal(await simulate<string>({ kind: 'globals' }), 'all throw')
    await assert.rejects(
      isolated(
        () => Promise.resolve(),
        () => undefined,
      ),
      /never in the main thread/,
    )
  })

  it('hears of a rejection that nobody handles', async () => {
    assert.match(await simulate<string>({ kind: 'rejection' }), /forgotten/)
  })

  it('that hangs is ended, and nothing else notices', async () => {
    const stop = new AbortController()
    const endless = simulate({ kind: 'endless' }, stop.signal)
    await simulate({ kind: 'globals' })
    stop.abort()
    await assert.rejects(endless, /were stopped/)
  })

  it('that goes round in circles does not come to rest, and ends', async () => {
    const clock = new VirtualClock(undefined, 1000)
    const again = (): void => clock.defer(again)
    again()
    await assert.rejects(clock.advance(1), EventsExhausted)
  })
})
