import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What the code logs is there as it stands in the log, or as the parts a template is made of. */
async function sources(): Promise<string> {
  const files: string[] = []
  for (const folder of ['src', 'coordination', 'gossip', 'routing']) {
    for (const name of await readdir(join(root, folder), { recursive: true })) {
      if (name.endsWith('.ts')) files.push(await readFile(join(root, folder, name), 'utf8'))
    }
  }
  return files.join('\n')
}

describe('docs/RUNBOOK.md', () => {
  let text: string

  before(async () => {
    text = await readFile(join(root, 'docs/RUNBOOK.md'), 'utf8')
  })

  it('names metrics that are served', async () => {
    const served = await readFile(join(root, 'docs/METRICS.md'), 'utf8')
    const names = new Set(text.match(/`(grapevine|nodejs)_[a-z0-9_]+`/g))
    assert.ok(names.size > 15)
    for (const name of names) assert.ok(served.includes(name), name)
  })

  it('quotes log lines as the code has them', async () => {
    const code = await sources()
    // Made of an event's name and what it happened to.
    const events = new Map([
      ['suspended: ', "'suspended'"],
      ['resumed: ', "'resumed'"],
      ['member left: ', "'member-left'"],
    ])
    const quoted = [...text.matchAll(/\blog\s+`([^`]+)`/g)].map(([, line = '']) => line)
    assert.ok(quoted.length > 15)
    for (const line of quoted) assert.ok(code.includes(events.get(line) ?? line), line)
  })

  it('names readiness checks that there are', async () => {
    const code = await sources()
    const checks = [...text.matchAll(/\bcheck `([a-z]+)`/g)].map(([, name = '']) => name)
    assert.ok(checks.length > 3)
    for (const name of checks) assert.ok(code.includes(`name: '${name}'`), name)
  })
})
