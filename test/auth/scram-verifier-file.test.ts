import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadScramVerifiers } from '../../src/auth/scram-verifier-file.ts'
import { formatVerifier } from '../../src/auth/scram-verifier.ts'
import { GrapevineError } from '../../src/core/errors.ts'
import { ScramClient } from '../support/scram-client.ts'
import { challengeOf, methodFor, stepOf, verifierOf } from './scram-attempt.ts'

describe('SCRAM verifier file', () => {
  const text = formatVerifier(verifierOf('secret'))
  let directory = ''
  let file = ''

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grapevine-scram-'))
    file = join(directory, 'users')
  })
  after(() => rm(directory, { recursive: true }))

  async function load(contents: string | Uint8Array): ReturnType<typeof loadScramVerifiers> {
    await writeFile(file, contents)
    return loadScramVerifiers(file)
  }

  it('gives every user of the file, past comments and empty lines', async () => {
    const other = verifierOf('hunter2', 5000, 24)
    const verifiers = await load(
      `\ufeff# users\r\n\r\nalice:${text}\r\n  \n#bob:${text}\nb:o:b:${formatVerifier(other)}\nIngo Müller:${text}`,
    )
    assert.deepEqual(
      [...verifiers].map(([name, verifier]) => `${name} ${formatVerifier(verifier)}`),
      [`alice ${text}`, `b:o:b ${formatVerifier(other)}`, `Ingo Müller ${text}`],
    )
  })

  it('lets its users log in', async () => {
    const method = methodFor(Object.fromEntries(await load(`alice:${text}\n`)))
    const client = new ScramClient('alice', 'secret')
    const exchange = method.begin()
    assert.equal(stepOf(exchange, client.final(challengeOf(exchange, client.first))).type, 'success')
  })

  it('may be empty', async () => {
    assert.equal((await load('')).size, 0)
    assert.equal((await load('# nobody yet\n')).size, 0)
  })

  it('has its names prepared as those of clients are', async () => {
    assert.deepEqual([...(await load(`Ⅸ:${text}`)).keys()], ['IX'])
  })

  for (const [what, contents, line, fault] of [
    ['no verifier', 'bob', 3, /expected <user name>:SCRAM-SHA-256/],
    ['a plain password', 'bob:secret', 3, /expected <user name>:SCRAM-SHA-256/],
    ['no user name', `:${text}`, 3, /user name is empty/],
    ['space around the user name', `bob :${text}`, 3, /white space/],
    ['space before a comment', ' # comment', 3, /expected/],
    ['space at the end', `bob:${text} `, 3, /ServerKey/],
    ['a control character', `b\u0007b:${text}`, 3, /control characters/],
    ['a broken salt', `bob:${text.replace(/:[^$]+/, ':???')}`, 3, /salt is not base64/],
    ['too few iterations', `bob:${text.replace('4096', '1000')}`, 3, /iterations/],
    ['a truncated key', `bob:${text.slice(0, -1)}`, 3, /ServerKey/],
    ['a user twice', `bob:${text}\nalice:${text}`, 4, /on line 2 already/],
    ['a user twice in two spellings', `é:${text}\ne\u0301:${text}`, 4, /on line 3 already/],
  ] as const) {
    it(`is refused as a whole for ${what}, with file and line`, async () => {
      await assert.rejects(load(`# users\nalice:${text}\n${contents}\nzoe:${text}\n`), (error: unknown) => {
        assert(error instanceof GrapevineError)
        assert.equal(error.code, 'AUTH_FILE_INVALID')
        assert(error.message.startsWith(`${file} line ${line}: `), error.message)
        assert.match(error.message, fault)
        assert(!error.message.includes(text.slice(-20, -2)), 'quotes no key')
        assert(!error.message.includes('\n'))
        return true
      })
    })
  }

  it('is refused when it is not UTF-8', async () => {
    const contents = Buffer.concat([Buffer.from(`alice:${text}\n`), Buffer.from([0xff, 0x0a])])
    await assert.rejects(load(contents), {
      code: 'AUTH_FILE_INVALID',
      message: /users line 2: it is not UTF-8/,
    })
  })

  it('is refused when it cannot be read', async () => {
    const missing = join(directory, 'missing')
    await assert.rejects(loadScramVerifiers(missing), {
      code: 'AUTH_FILE_INVALID',
      message: new RegExp(`^cannot read the SCRAM verifiers ${missing}: there is no such file`),
    })
    await assert.rejects(loadScramVerifiers(directory), {
      code: 'AUTH_FILE_INVALID',
      message: /regular file/,
    })
  })
})
