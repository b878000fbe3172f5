import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemErrorCode } from '../../core/errors.ts'

/** A directory that this process alone uses. */
export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * Locks an existing directory; undefined when another process of this user has it. The lock is a Unix socket named for
 * the directory, in the temporary directory because socket paths must be short: whoever answers holds it, and a socket
 * that nobody answers, left by a killed process, is taken over.
 */
export async function lockDirectory(dir: string): Promise<DirectoryLock | undefined> {
  const name = createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
    .slice(0, 24)
  const path = join(tmpdir(), `grapevine-${name}.lock`)
  for (let attempt = 0; attempt < 2; attempt++) {
    const server = await listen(path)
    if (server !== undefined) return { release: () => new Promise(resolve => server.close(() => resolve())) }
    if (await answers(path)) return undefined
    rmSync(path, { force: true })
  }
  return undefined
}

async function listen(path: string): Promise<Server | undefined> {
  return await new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', error =>
      systemErrorCode(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(path, () => resolve(server))
    server.unref()
  })
}

async function answers(path: string): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
