import assert from 'node:assert/strict'
import { shippedConstants } from '../../../sim/constants/constants.ts'
import { converge } from '../../../sim/convergence/convergence-command.ts'
import { reportText } from '../../../sim/report/report-text.ts'

describe('converge', function () {
  this.timeout(30_000)

  it('gives what was finished when it is stopped, and the report says so first', async () => {
    const stop = new AbortController()
    const { isComplete, document, report } = await converge(
      { nodes: [2, 40], seconds: 60, changesPerSecond: 5 },
      shippedConstants,
      {
        threads: 1,
        onProgress: share => {
          if (share > 0.5) stop.abort() // the second has begun
        },
        signal: stop.signal,
      },
    )
    assert.equal(isComplete, false)
    assert.deepEqual(
      document.runs.map(({ settings }) => settings.nodes),
      [2],
    )
    assert.equal(report.sections[0]?.heading, 'Interrupted')
    assert.match(reportText(report), /ended after 1 of 2 runs/)
  })

  it('says nothing of runs when none was finished', async () => {
    const { report, document } = await converge({ nodes: 5 }, shippedConstants, {
      threads: 1,
      onProgress: () => undefined,
      signal: AbortSignal.abort(),
    })
    assert.equal(document.runs.length, 0)
    assert.match(reportText(report), /ended after 0 of 1 runs/)
  })

  it('refuses with every fault of the scenario', async () => {
    await assert.rejects(
      converge({ nodes: 1, loss: 7 }, shippedConstants, {
        threads: 1,
        onProgress: () => undefined,
        signal: new AbortController().signal,
      }),
      (error: Error) => /nodes: .*\n {2}loss: /.test(error.message),
    )
  })
})
