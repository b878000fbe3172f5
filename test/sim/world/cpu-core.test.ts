import assert from 'node:assert/strict'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import { CoreClock, CpuCore } from '../../../sim/world/cpu-core.ts'

describe('CpuCore', () => {
  it('does one thing at a time, in the order asked', async () => {
    const clock = new VirtualClock()
    const core = new CpuCore(clock)
    const done: [string, number][] = []
    core.run(10, () => done.push(['first', clock.now()]))
    core.run(5, () => done.push(['second', clock.now()]))
    await clock.advance(100)
    assert.deepEqual(done, [
      ['first', 10],
      ['second', 15],
    ])
    assert.equal(core.busyMs, 15)
  })

  it('costs more to begin when it had nothing to do, and nothing to look at', async () => {
    const clock = new VirtualClock()
    const core = new CpuCore(clock, 3)
    const doneAtMs: number[] = []
    core.run(10, () => doneAtMs.push(clock.now()))
    core.run(5, () => doneAtMs.push(clock.now()))
    core.look(() => doneAtMs.push(clock.now()))
    await clock.advance(100)
    core.look(() => doneAtMs.push(clock.now()))
    await clock.advance(100)
    assert.deepEqual(doneAtMs, [13, 18, 18, 100])
    assert.equal(core.busyMs, 18)
  })

  it('makes later jobs wait for what a job spends beyond its cost', async () => {
    const clock = new VirtualClock()
    const core = new CpuCore(clock)
    let secondAtMs = 0
    core.run(1, () => {
      core.spend(7)
      assert.equal(core.aheadMs, 7)
    })
    core.run(1, () => (secondAtMs = clock.now()))
    await clock.advance(100)
    assert.equal(secondAtMs, 9)
    assert.equal(core.busyMs, 9)
  })

  it('lets two processes on one core wait for each other, and their clocks go on while they work', async () => {
    const world = new VirtualClock()
    const core = new CpuCore(world)
    const fail = (error: unknown): void => assert.fail(String(error))
    const [a, b] = [new CoreClock(world, core, fail), new CoreClock(world, core, fail)]
    const seen: number[] = []
    a.schedule(5, () => {
      core.spend(20)
      seen.push(a.now())
    })
    b.schedule(6, () => seen.push(b.now()))
    await world.advance(100)
    assert.deepEqual(seen, [25, 25])
  })
})
