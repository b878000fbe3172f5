import { readFile } from 'node:fs/promises'
import type { Constants } from '../../../../sim/constants/constants.ts'
import { errorMessage, GrapevineError, systemErrorCode } from '../../../core/errors.ts'

/** Of every simulator command whose results rest on what operations cost. */
export const constantsOption = {
  constants: {
    type: 'string',
    requiresArg: true,
    describe:
      'file of what operations cost, as sim calibrate --write makes it; without it, those of this version',
  },
} as const

/** Throws CONFIG_FILE_UNREADABLE, and CONFIG_INVALID with every field that is wrong. */
export async function constantsOf(file: string | undefined): Promise<Constants> {
  if (file === undefined) return (await import('../../../../sim/constants/constants.ts')).shippedConstants
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const reason = systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : errorMessage(error)
    throw new GrapevineError(
      'CONFIG_FILE_UNREADABLE',
      `cannot read the constants ${file}: ${reason}; make some with: grapevine sim calibrate --write ${file}`,
      { cause: error },
    )
  }
  const { parseConstants } = await import('../../../../sim/constants/parse-constants.ts')
  return parseConstants(text, file)
}
