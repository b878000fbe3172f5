/** The simulations that tests make themselves, by name. */
import assert from 'node:assert/strict'
import { runChaos } from '../../../sim/chaos/chaos-run.ts'
import { isolated, settling } from '../../../sim/world/ambient.ts'
import { serveSimulations } from '../../../sim/world/simulation-thread.ts'
import { plantedBugs } from './planted-bugs.ts'
import { stopAndGoOn } from './stop-and-go-on.ts'
import type { TestSimulation } from './test-simulations.ts'

serveSimulations((asked: TestSimulation) => {
  switch (asked.kind) {
    case 'planted-bug':
      return runChaos(asked.options, plantedBugs[asked.bug])
    case 'stop-and-go-on':
      return stopAndGoOn(asked.isFenced, asked.outage)
    case 'globals':
      return useGlobals()
    case 'rejection':
      return forgetRejection()
    case 'endless':
      for (;;);
  }
})

async function useGlobals(): Promise<string> {
  const ignore = (): void => {}
  await isolated(async () => {
    assert.throws(() => Date.now(), /through ports only/)
    assert.throws(() => Math.random(), /through ports only/)
    assert.throws(() => setTimeout(ignore, 1), /through ports only/)
    assert.throws(() => setInterval(ignore, 1), /through ports only/)
    assert.throws(() => setImmediate(ignore), /through ports only/)
    assert.throws(() => performance.now(), /through ports only/)
    assert.throws(() => crypto.randomUUID(), /through ports only/)
  }, ignore)
  return 'all throw'
}

async function forgetRejection(): Promise<string> {
  const reasons: unknown[] = []
  const settled = settling()
  await isolated(
    async () => {
      void Promise.reject(new Error('forgotten'))
      await settled()
    },
    reason => reasons.push(reason),
  )
  return String(reasons[0])
}
