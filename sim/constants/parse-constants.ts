import { errorMessage, GrapevineError } from '../../src/core/errors.ts'
import { constantMeanings, type Constant, type Constants, type ConstantName } from './constants.ts'

const names = Object.keys(constantMeanings) as ConstantName[]

/**
 * The constants in a document as `sim calibrate` writes it. `source` names it in complaints. Throws CONFIG_INVALID with every
 * field that is missing, unknown or no cost, since a simulation over half a calibration means nothing.
 */
export function parseConstants(text: string, source: string): Constants {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw refusal(source, [`it is not JSON (${errorMessage(error)})`])
  }
  if (!isRecord(document)) throw refusal(source, [`expected an object, got ${shown(document)}`])
  const faults: string[] = []
  const measuredOn = nonEmptyText(document, 'measuredOn', '', faults)
  if (measuredOn !== '' && !/^\d{4}-\d{2}-\d{2}$/.test(measuredOn))
    faults.push(`measuredOn: expected a date like 2026-11-27, got ${shown(measuredOn)}`)
  const machine = nonEmptyText(document, 'machine', '', faults)
  const values = new Map<ConstantName, Constant>()
  if (!isRecord(document['values'])) {
    faults.push(`values: expected an object, got ${shown(document['values'])}`)
  } else {
    const given = document['values']
    for (const name of names) {
      const constant = constantOf(given, name, faults)
      if (constant !== undefined) values.set(name, constant)
    }
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(constantMeanings, name))
        faults.push(`values.${name}: this version knows no such constant`)
    }
  }
  if (faults.length > 0) throw refusal(source, faults)
  return { measuredOn, machine, values: Object.fromEntries(values) as Constants['values'] }
}

function constantOf(
  given: Record<string, unknown>,
  name: ConstantName,
  faults: string[],
): Constant | undefined {
  const path = `values.${name}`
  if (!Object.hasOwn(given, name)) {
    faults.push(`${path}: is missing`)
    return undefined
  }
  const constant = given[name]
  if (!isRecord(constant)) {
    faults.push(`${path}: expected an object, got ${shown(constant)}`)
    return undefined
  }
  const { value, origin } = constant
  const isCost = typeof value === 'number' && Number.isFinite(value) && value > 0
  if (!isCost) faults.push(`${path}.value: expected a number above 0, got ${shown(value)}`)
  const isOrigin = origin === 'measured' || origin === 'assumed'
  if (!isOrigin) faults.push(`${path}.origin: expected measured or assumed, got ${shown(origin)}`)
  const how = nonEmptyText(constant, 'how', `${path}.`, faults)
  return isCost && isOrigin ? { value, origin, how } : undefined
}

function nonEmptyText(
  record: Record<string, unknown>,
  key: string,
  prefix: string,
  faults: string[],
): string {
  const text = record[key]
  if (typeof text === 'string' && text !== '') return text
  faults.push(`${prefix}${key}: expected text, got ${shown(text)}`)
  return ''
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 60)
}

function refusal(source: string, faults: readonly string[]): GrapevineError {
  return new GrapevineError(
    'CONFIG_INVALID',
    `the constants in ${source} cannot be used: ${faults.join('; ')}. Make them anew with: grapevine sim calibrate --write FILE`,
  )
}
