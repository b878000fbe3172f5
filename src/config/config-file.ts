import { readFile } from 'node:fs/promises'
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'

/** One value of a configuration file. `path` is dotted; a mapping is walked into where `isSection` says so. */
export interface FileValue {
  readonly path: string
  readonly value: unknown
  /** 1-based. */
  readonly line: number
}

/**
 * Reads a YAML file into its values. A section that is no mapping comes as one value under the section's path.
 * Throws CONFIG_FILE_UNREADABLE when it cannot be read or parsed, with every syntax error and its line.
 */
export async function readConfigFile(
  file: string,
  isSection: (path: string) => boolean,
): Promise<FileValue[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const reason = systemErrorCode(error) === 'ENOENT' ? 'there is no such file' : errorMessage(error)
    throw new GrapevineError(
      'CONFIG_FILE_UNREADABLE',
      `cannot read the configuration file ${file}: ${reason}`,
      { cause: error },
    )
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    const list = faults.map(fault => `  ${file} line ${lines.linePos(fault.pos[0]).line}: ${fault.message}`)
    throw new GrapevineError(
      'CONFIG_FILE_UNREADABLE',
      [`${file} is not proper YAML; correct it:`, ...list].join('\n'),
    )
  }

  const values: FileValue[] = []
  const walk = (node: unknown, path: string, line: number): void => {
    if (isMap(node) && (path === '' || isSection(path))) {
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : String(key)
        const offset = isScalar(key) ? key.range?.[0] : undefined
        walk(
          value,
          path === '' ? name : `${path}.${name}`,
          offset === undefined ? line : lines.linePos(offset).line,
        )
      }
      return
    }
    const value = document.createNode(node).toJS(document) as unknown
    // An empty file, and a section with all of its keys commented out, say nothing.
    if (value === null && (path === '' || isSection(path))) return
    values.push({ path, value, line })
  }
  try {
    walk(document.contents, '', 1)
  } catch (error) {
    throw new GrapevineError('CONFIG_FILE_UNREADABLE', `${file} cannot be used: ${errorMessage(error)}`, {
      cause: error,
    })
  }
  return values
}
