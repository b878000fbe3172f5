import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The file of a program on PATH. */
export function findOnPath(name: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter(directory => directory !== '')
  return directories.map(directory => join(directory, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
