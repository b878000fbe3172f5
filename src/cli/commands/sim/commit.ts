import { execFileSync } from 'node:child_process'
import { packageVersion } from '../../../config/package-version.ts'

/** Which code runs: the commit of the working tree, and whether it has changes, or the version of the package. */
export function commit(): string {
  try {
    const run = (args: readonly string[]): string =>
      execFileSync('git', [...args], {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    const hash = run(['rev-parse', '--short', 'HEAD'])
    return run(['status', '--porcelain', '--untracked-files=no']) === '' ? hash : `${hash} with changes`
  } catch {
    return packageVersion()
  }
}
