import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'

/** Whose data a directory holds. Another cluster's, node's or coordinator's data must never be mixed in. */
export interface DataDirIdentity {
  readonly cluster: string
  readonly node: string
  readonly coordination: 'embedded' | 'etcd'
}

const MARKER_FILE = 'grapevine.json'
const FORMAT = 1

/** The content of a directory's marker; undefined when it has none. Throws DATA_DIR_FOREIGN when it cannot be read. */
export async function readMarker(dir: string): Promise<Record<string, unknown> | undefined> {
  let text: string
  try {
    text = await readFile(join(dir, MARKER_FILE), 'utf8')
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw unusable(dir, error)
  }
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    content = undefined
  }
  if (typeof content !== 'object' || content === null || !('format' in content)) {
    throw new GrapevineError(
      'DATA_DIR_FOREIGN',
      `${join(resolve(dir), MARKER_FILE)} is not readable as ours; move the directory away or choose another one`,
    )
  }
  if (content.format !== FORMAT) {
    throw new GrapevineError(
      'DATA_DIR_FOREIGN',
      `${resolve(dir)} was written by a newer Grapevine (format ${String(content.format)}); upgrade, or choose another directory`,
    )
  }
  return { ...content }
}

/**
 * Creates the directory, or checks that it is this node's. Throws DATA_DIR_UNWRITABLE or DATA_DIR_FOREIGN.
 */
export async function claimDataDir(dir: string, identity: DataDirIdentity): Promise<void> {
  try {
    await mkdir(dir, { recursive: true })
  } catch (error) {
    throw unusable(dir, error)
  }
  const marker = await readMarker(dir)
  if (marker === undefined) {
    const entries = await readdir(dir)
    if (entries.length > 0) {
      throw new GrapevineError(
        'DATA_DIR_FOREIGN',
        `${resolve(dir)} is not empty and not a Grapevine data directory; choose another with --node.dataDir`,
      )
    }
    await writeMarker(dir, { ...identity, id: randomUUID() })
    return
  }
  for (const key of ['cluster', 'node', 'coordination'] as const) {
    if (marker[key] === identity[key]) continue
    throw new GrapevineError(
      'DATA_DIR_FOREIGN',
      `${resolve(dir)} belongs to ${key} "${String(marker[key])}", this node has ${key} "${identity[key]}"; ` +
        'choose another with --node.dataDir, or move the old data away',
    )
  }
}

/**
 * Names this very directory on this very machine; a copy of it has another name. To be asked only by who holds its lock: an
 * earlier process that announced the same name is then certainly gone. Throws DATA_DIR_FOREIGN or DATA_DIR_UNWRITABLE.
 */
export async function dataDirId(dir: string): Promise<string> {
  const marker = (await readMarker(dir)) ?? {}
  const id = typeof marker['id'] === 'string' ? marker['id'] : randomUUID()
  const file = join(dir, MARKER_FILE)
  try {
    if (marker['id'] !== id) {
      // Directories of earlier versions have none.
      await writeFile(`${file}.new`, `${JSON.stringify({ ...marker, format: FORMAT, id }, null, 2)}\n`)
      await rename(`${file}.new`, file)
    }
    const { ino } = await stat(file, { bigint: true })
    const place = createHash('sha256')
      .update(`${hostname()} ${ino} ${resolve(dir)}`)
      .digest('hex')
    return `${id}.${place.slice(0, 16)}`
  } catch (error) {
    throw unusable(dir, error)
  }
}

/** Writes a marker. Throws DATA_DIR_UNWRITABLE. */
export async function writeMarker(dir: string, content: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, MARKER_FILE), `${JSON.stringify({ format: FORMAT, ...content }, null, 2)}\n`)
  } catch (error) {
    throw unusable(dir, error)
  }
}

/** Deletes a directory that carries our marker; any other is refused with DATA_DIR_FOREIGN. A missing one is fine. */
export async function removeMarkedDir(dir: string): Promise<void> {
  const entries = await readdir(dir).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw unusable(dir, error)
  })
  if (entries === undefined || entries.length === 0) return
  if ((await readMarker(dir)) === undefined) {
    throw new GrapevineError(
      'DATA_DIR_FOREIGN',
      `${resolve(dir)} has no ${MARKER_FILE} of ours, so it is not deleted; remove it yourself if it may go`,
    )
  }
  await rm(dir, { recursive: true })
}

function unusable(dir: string, error: unknown): GrapevineError {
  return new GrapevineError(
    'DATA_DIR_UNWRITABLE',
    `the data directory ${resolve(dir)} cannot be used (${systemErrorCode(error) ?? errorMessage(error)}); ` +
      'check its path and permissions, or choose another with --node.dataDir',
    { cause: error },
  )
}
