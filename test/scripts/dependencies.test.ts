import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { markInstalled, reasonToInstall } from '../../scripts/dependencies.js'

describe('reasonToInstall', () => {
  let root: string

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'grapevine-deps-'))
    await writeLock('package-lock.json', { a: '1.0.0', b: '2.0.0' })
  })

  afterEach(async () => {
    await rm(root, { recursive: true })
  })

  const writeLock = async (file: string, versions: Record<string, string>, optional: string[] = []) => {
    const packages = Object.fromEntries(
      Object.entries(versions).map(([name, version]) => [
        `node_modules/${name}`,
        { version, ...(optional.includes(name) ? { optional: true } : {}) },
      ]),
    )
    await writeFile(join(root, file), JSON.stringify({ packages: { '': { name: 'x' }, ...packages } }))
  }

  const install = async (versions: Record<string, string>) => {
    await mkdir(join(root, 'node_modules', '.bin'), { recursive: true })
    await writeFile(join(root, 'node_modules', '.bin', 'node'), '')
    await writeLock(join('node_modules', '.package-lock.json'), versions)
  }

  it('wants an installation where there is none', () => {
    assert.match(reasonToInstall(root) ?? '', /not installed/)
  })

  it('is satisfied by what npm recorded, also without an optional package', async () => {
    await writeLock('package-lock.json', { a: '1.0.0', b: '2.0.0', 'other-os': '3.0.0' }, ['other-os'])
    await install({ a: '1.0.0', b: '2.0.0' })
    assert.equal(reasonToInstall(root), undefined)
  })

  it('notices another version and a missing package', async () => {
    await install({ a: '1.0.0', b: '1.9.0' })
    assert.match(reasonToInstall(root) ?? '', /package-lock/)
    await install({ a: '1.0.0' })
    assert.match(reasonToInstall(root) ?? '', /package-lock/)
  })

  it('believes its own mark until the lockfile changes', async () => {
    await install({})
    markInstalled(root)
    assert.equal(reasonToInstall(root), undefined)
    await writeLock('package-lock.json', { a: '1.0.1', b: '2.0.0' })
    assert.match(reasonToInstall(root) ?? '', /package-lock/)
  })
})
