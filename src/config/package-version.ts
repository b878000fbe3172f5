import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The version in this package's package.json, found from the sources and from `dist/` alike. */
export function packageVersion(): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const content = readIfThere(join(directory, 'package.json'))
    if (content !== undefined) return String((JSON.parse(content) as { version?: unknown }).version)
    if (directory === dirname(directory))
      throw new Error('grapevine: there is no package.json above its own sources')
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
