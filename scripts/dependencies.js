import { createHash } from 'crypto'
import { existsSync, readFileSync, writeFileSync } from 'fs'
import { join } from 'path'

// Inside node_modules: deleted with it, and never committed.
const stamp = join('node_modules', '.grapevine-lockfile-sha256')

function lockfileHash(root) {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

/** The packages of a lockfile by folder, without the root package. */
function packagesOf(file) {
  const packages = Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages)
  return new Map(packages.filter(([folder]) => folder !== ''))
}

/** Whether npm's own record of what it installed has every package of the lockfile in its version. */
function matchesRecord(root) {
  const record = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return false
  const installed = packagesOf(record)
  return Array.from(packagesOf(join(root, 'package-lock.json'))).every(([folder, wanted]) => {
    const found = installed.get(folder)
    return found === undefined ? wanted.optional === true : found.version === wanted.version
  })
}

/** Why the dependencies in `root` must be installed, in words; undefined when they are those of the lockfile. */
export function reasonToInstall(root) {
  if (!existsSync(join(root, 'node_modules', '.bin', 'node'))) return 'they are not installed yet'
  if (existsSync(join(root, stamp)) && readFileSync(join(root, stamp), 'utf8') === lockfileHash(root))
    return undefined
  return matchesRecord(root) ? undefined : 'package-lock.json wants others than are installed'
}

/** Remembers that what the lockfile says is installed. */
export function markInstalled(root) {
  writeFileSync(join(root, stamp), lockfileHash(root))
}
