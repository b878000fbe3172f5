import assert from 'node:assert/strict'
import { shippedConstants, type Constants } from '../../../sim/constants/constants.ts'
import { parseConstants } from '../../../sim/constants/parse-constants.ts'
import { GrapevineError } from '../../../src/core/errors.ts'

interface Changed {
  measuredOn: unknown
  machine: unknown
  values: Record<string, unknown>
}

/** The shipped document with something done to it. */
function changed(change: (document: Changed) => void): string {
  const document = structuredClone<Constants>(shippedConstants) as unknown as Changed
  change(document)
  return JSON.stringify(document)
}

function refusal(text: string): string {
  try {
    parseConstants(text, 'mine.json')
  } catch (error) {
    assert.ok(error instanceof GrapevineError && error.code === 'CONFIG_INVALID', String(error))
    return error.message
  }
  return assert.fail('the constants were taken')
}

describe('parseConstants', () => {
  it('takes the document that this version ships', () => {
    assert.deepEqual(parseConstants(JSON.stringify(shippedConstants), 'shipped'), shippedConstants)
  })

  it('refuses what is no JSON, naming the file', () => {
    assert.match(refusal('{'), /constants in mine\.json cannot be used: it is not JSON/)
    assert.match(refusal('[]'), /expected an object, got \[\]/)
  })

  it('refuses a cost that is no number above 0, naming the field', () => {
    const message = refusal(
      changed(({ values }) => {
        values['etcd.writeMsP50'] = { value: 0, origin: 'measured', how: 'a stopped clock' }
        values['etcd.writeMsP99'] = { value: '5 ms', origin: 'measured', how: 'by hand' }
      }),
    )
    assert.match(message, /values\.etcd\.writeMsP50\.value: expected a number above 0, got 0;/)
    assert.match(message, /values\.etcd\.writeMsP99\.value: expected a number above 0, got "5 ms"/)
  })

  it('refuses a constant without origin or explanation', () => {
    const message = refusal(
      changed(({ values }) => (values['etcd.writeMsP50'] = { value: 1, origin: 'guessed' })),
    )
    assert.match(message, /etcd\.writeMsP50\.origin: expected measured or assumed, got "guessed"/)
    assert.match(message, /etcd\.writeMsP50\.how: expected text, got nothing/)
  })

  it('refuses a document of another version: a constant missing, or one it does not know', () => {
    const message = refusal(
      changed(({ values }) => {
        delete values['stream.hopMsP50']
        values['stream.hopsPerFortnight'] = { value: 1, origin: 'assumed', how: 'a joke' }
      }),
    )
    assert.match(message, /values\.stream\.hopMsP50: is missing/)
    assert.match(message, /values\.stream\.hopsPerFortnight: this version knows no such constant/)
  })

  it('refuses a calibration that does not say when and where it was made', () => {
    const message = refusal(
      changed(document => {
        document.measuredOn = 'yesterday'
        document.machine = ''
      }),
    )
    assert.match(message, /measuredOn: expected a date like 2026-11-27, got "yesterday"/)
    assert.match(message, /machine: expected text, got ""/)
  })
})
