import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isolated } from '../../sim/world/ambient.ts'

const child = fileURLToPath(new URL('trace-hash-child.ts', import.meta.url))
const run = promisify(execFile)

async function hashOf(seed: number): Promise<string> {
  const { stdout } = await run(process.execPath, [child, String(seed)])
  return stdout
}

describe('A simulation', () => {
  it('leaves the same trace in two processes for one seed, and another for another seed', async () => {
    const [one, again, other] = await Promise.all([hashOf(5), hashOf(5), hashOf(6)])
    assert.match(one, /^[0-9a-f]{16}$/)
    assert.equal(one, again)
    assert.notEqual(one, other)
  })

  it('has no real time and no real chance: the globals throw, and work again afterwards', async () => {
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
    assert.ok(Date.now() > 0)
    assert.ok(performance.now() > 0)
    assert.ok(Math.random() < 1)
    await new Promise(resolve => setTimeout(resolve, 0))
  })

  it('hears of a rejection that nobody handles', async () => {
    const reasons: unknown[] = []
    await isolated(
      async () => {
        void Promise.reject(new Error('forgotten'))
        const { promisesSettled } = await import('../../sim/world/ambient.ts')
        await promisesSettled()
        await promisesSettled()
      },
      reason => reasons.push(reason),
    )
    assert.match(String(reasons[0]), /forgotten/)
  })
})
