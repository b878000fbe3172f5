import { fileURLToPath } from 'node:url'

/**
 * The path of a script of ours, to be run by Node in a process of its own. `importer` is the caller's
 * `import.meta.url`, `path` is relative to it and without extension: sources end in .ts, built files in .js.
 */
export function siblingScript(importer: string, path: string): string {
  const extension = importer.endsWith('.ts') ? '.ts' : '.js'
  return fileURLToPath(new URL(path + extension, importer))
}
