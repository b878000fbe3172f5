import assert from 'node:assert/strict'
import {
  calibrate,
  calibrationParts,
  lookForEtcd,
  partsWithoutEtcd,
} from '../../../sim/calibrate/calibrate.ts'
import { openLab } from '../../../sim/calibrate/open-lab.ts'
import { constantMeanings, shippedConstants, type ConstantName } from '../../../sim/constants/constants.ts'
import { parseConstants } from '../../../sim/constants/parse-constants.ts'

const names = Object.keys(constantMeanings) as ConstantName[]
/** No machine is so different from that of the shipped constants; what the figures are no test decides. */
const FACTOR = 200

describe('calibrate', function () {
  this.timeout(600_000)

  function smallLab() {
    const told = { repetitions: 1, signal: new AbortController().signal, progress: () => {} }
    return { ...openLab(told), windowMs: 1000, size: 0.2 }
  }

  it('measures every constant with real nodes and a real etcd, and the document is taken back', async function () {
    if ('missing' in lookForEtcd()) this.skip()
    const { constants, comparisons } = await calibrate(smallLab(), {
      parts: calibrationParts,
      today: '2026-11-27',
    })
    for (const name of names) {
      const { value, origin } = constants.values[name]
      assert.equal(origin, 'measured', name)
      const shipped = shippedConstants.values[name].value
      assert.ok(value > shipped / FACTOR && value < shipped * FACTOR, `${name}: ${value}, shipped ${shipped}`)
    }
    assert.deepEqual(parseConstants(JSON.stringify(constants), 'the calibration'), constants)
    for (const { what, model, real } of comparisons)
      assert.ok(model > 0 && real > 0, `${what}: model ${model}, real ${real}`)
  })

  it('says of what it skipped that it is assumed', async () => {
    const { constants } = await calibrate(smallLab(), { parts: partsWithoutEtcd, today: '2026-11-27' })
    assert.equal(constants.values['gossip.cpuUsPerSend'].origin, 'measured')
    const { value, origin, how } = constants.values['etcd.writeMsP50']
    assert.equal(value, shippedConstants.values['etcd.writeMsP50'].value)
    assert.equal(origin, 'assumed')
    assert.match(how, /^not measured here: /)
  })
})
