import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { LineCounter, parseDocument } from 'yaml'
import { errorMessage, GrapevineError, systemErrorCode } from '../../../core/errors.ts'

/** Those that come with Grapevine. */
const shipped = fileURLToPath(new URL('../../../../sim/scenarios/', import.meta.url))

/**
 * The fields of a scenario: of a YAML file, or of a shipped one when only a name is given. Throws CONFIG_FILE_UNREADABLE when it is
 * not there or no YAML, with the line, and CONFIG_INVALID when it is no mapping.
 */
export async function readScenario(nameOrFile: string): Promise<Record<string, unknown>> {
  const isName = /^[a-z0-9-]+$/.test(nameOrFile)
  const file = isName ? `${shipped}${nameOrFile}.yaml` : nameOrFile
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const reason = systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : errorMessage(error)
    const names = (await readdir(shipped)).map(name => name.replace('.yaml', '')).join(', ')
    throw new GrapevineError(
      'CONFIG_FILE_UNREADABLE',
      isName
        ? `no scenario is called ${nameOrFile}; there are ${names}, or give a file: ./${nameOrFile}.yaml`
        : `cannot read the scenario ${file}: ${reason}`,
      { cause: error },
    )
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const faults = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => `  ${file} line ${lines.linePos(pos[0]).line}: ${message}`,
  )
  if (faults.length > 0) {
    const said = [`${file} is not proper YAML; correct it:`, ...faults].join('\n')
    throw new GrapevineError('CONFIG_FILE_UNREADABLE', said)
  }
  const content = (document.toJS() ?? {}) as unknown
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new GrapevineError('CONFIG_INVALID', `${file}: expected fields of a scenario, like nodes: 20`)
  return { ...content }
}
