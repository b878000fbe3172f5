import { mkdir, readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errorMessage, GrapevineError, systemErrorCode } from '../../core/errors.ts'
import { readMarker, removeMarkedDir, writeMarker } from '../../node/data-dir.ts'
import { lockDirectory, type DirectoryLock } from './directory-lock.ts'

/** The directory with the data of a whole `dev` mesh, locked by this process. */
export interface DevRoot {
  readonly path: string
  /** Makes it ours: deletes what an earlier `dev` left when `fresh`, and writes the marker. Throws DATA_DIR_FOREIGN. */
  claim(options: { readonly fresh: boolean }): Promise<void>
  release(): Promise<void>
}

/** Throws DATA_DIR_LOCKED when another `dev` uses it, DATA_DIR_UNWRITABLE when it cannot be had. */
export async function openDevRoot(dir: string, coordination: 'embedded' | 'etcd'): Promise<DevRoot> {
  const path = resolve(dir)
  let lock: DirectoryLock | undefined
  try {
    await mkdir(path, { recursive: true })
    lock = await lockDirectory(path)
  } catch (error) {
    throw new GrapevineError(
      'DATA_DIR_UNWRITABLE',
      `the data directory ${path} cannot be used (${systemErrorCode(error) ?? errorMessage(error)}); choose another with --data-dir`,
      { cause: error },
    )
  }
  if (lock === undefined) {
    throw new GrapevineError(
      'DATA_DIR_LOCKED',
      `another grapevine dev uses ${path}; stop it, or start this one with --data-dir, --port and --admin-port of its own`,
    )
  }
  const held = lock
  return {
    path,
    claim: ({ fresh }) => claim(path, coordination, fresh),
    release: () => held.release(),
  }
}

async function claim(path: string, coordination: string, fresh: boolean): Promise<void> {
  if (fresh) await removeMarkedDir(path)
  const marker = await readMarker(path)
  if (marker === undefined) {
    const entries = await readdir(path).catch(() => [])
    if (entries.length > 0) throw foreign(`${path} is not empty and has no data of grapevine dev`)
    await writeMarker(path, { kind: 'dev', coordination })
    return
  }
  if (marker['kind'] !== 'dev') throw foreign(`${path} holds the data of a single node, not of grapevine dev`)
  if (marker['coordination'] !== coordination) {
    throw foreign(
      `${path} holds a mesh with coordination ${String(marker['coordination'])}, not ${coordination}`,
    )
  }
}

function foreign(what: string): GrapevineError {
  return new GrapevineError('DATA_DIR_FOREIGN', `${what}; choose another with --data-dir, or move it away`)
}
