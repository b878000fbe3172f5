import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import { findLogDamage } from './level-log-check.ts'

/** Files only a LevelDB that was once written has. */
const LEVEL_FILE = /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/

/** Keys are UTF-8, values bytes. */
export type LevelDatabase = Level<string, Uint8Array>

/**
 * Opens the database in `dir`, an absolute path, creating what is missing. Throws `GrapevineError` DATA_DIR_LOCKED,
 * DATA_DIR_UNWRITABLE or STORE_CORRUPT.
 */
export async function openLevel(dir: string): Promise<LevelDatabase> {
  const damage = await findDamage(dir)
  if (damage !== undefined) throw corrupt(dir, damage)
  // Not before: it opens by itself soon after its construction.
  const database = new Level<string, Uint8Array>(dir, { keyEncoding: 'utf8', valueEncoding: 'view' })
  try {
    await database.open()
    return database
  } catch (error) {
    // abstract-level wraps what LevelDB said.
    const reason = error instanceof Error && error.cause !== undefined ? error.cause : error
    const code = systemErrorCode(reason)
    if (code === 'LEVEL_LOCKED') {
      throw new GrapevineError(
        'DATA_DIR_LOCKED',
        `${dir} is open in another process, so this one cannot use it; stop that process or choose another data directory`,
        { cause: error },
      )
    }
    if (code === 'LEVEL_CORRUPTION') throw corrupt(dir, errorMessage(reason), error)
    throw new GrapevineError(
      'DATA_DIR_UNWRITABLE',
      `the store in ${dir} cannot be opened (${errorMessage(reason)}); ` +
        'check the path, permissions and free space, or choose another data directory',
      { cause: error },
    )
  }
}

/** What to throw for a read that failed: STORE_CORRUPT when LevelDB says that data is damaged, else the error itself. */
export function levelReadError(dir: string, error: unknown): unknown {
  const reason = error instanceof Error && error.cause !== undefined ? error.cause : error
  return systemErrorCode(reason) === 'LEVEL_CORRUPTION' ? corrupt(dir, errorMessage(reason), error) : error
}

/**
 * What LevelDB would not call damage. Without CURRENT it would begin anew beside the old files and then delete them; one
 * that names a missing manifest it reports like a directory that cannot be read; what is wrong in a log it skips.
 */
async function findDamage(dir: string): Promise<string | undefined> {
  // An unreadable or missing directory is left to LevelDB, which creates it or says what is wrong.
  const files = await readdir(dir).catch((): string[] => [])
  if (!files.includes('CURRENT')) {
    return files.some(file => LEVEL_FILE.test(file)) ? 'its file CURRENT is missing' : undefined
  }
  const current = await readFile(join(dir, 'CURRENT'), 'latin1').catch(() => undefined)
  if (current === undefined) return undefined
  const manifest = current.slice(0, -1)
  if (!current.endsWith('\n') || !files.includes(manifest)) {
    return 'its file CURRENT does not name a manifest that is there'
  }
  return findLogDamage(dir, manifest, files)
}

function corrupt(dir: string, reason: string, cause?: unknown): GrapevineError {
  return new GrapevineError(
    'STORE_CORRUPT',
    `the store in ${dir} is damaged (${reason}), so what it keeps cannot be trusted; ` +
      'restore the directory from a backup, or move it away to start empty',
    { cause },
  )
}
