import assert from 'node:assert/strict'
import { createLogger, type LoggerOptions } from '../../src/observability/logger.ts'

describe('createLogger', () => {
  it('asks for what costs something to find out only when it writes the line', () => {
    for (const [level, asked] of [
      ['info', 0],
      ['debug', 1],
    ] as const) {
      const lines: string[] = []
      let asks = 0
      const logger = createLogger({ level, format: 'json', destination: { write: line => lines.push(line) } })
      logger.debug('client connected', () => ({ remote: `r${++asks}` }))
      assert.equal(asks, asked)
      assert.equal(lines.length, asked)
      assert.ok(lines.every(line => line.includes('"remote":"r1"')))
    }
  })

  const collect = (options: Omit<LoggerOptions, 'destination'>) => {
    const lines: string[] = []
    const logger = createLogger({ ...options, destination: { write: line => lines.push(line) } })
    return { logger, lines }
  }

  it('writes one JSON object per line, with its own, its child’s and the line’s fields', () => {
    const { logger, lines } = collect({ level: 'info', format: 'json', fields: { node: 'node-0' } })
    logger.child({ peer: 'node-1' }).warn('link down', { attempts: 3 })
    assert.equal(lines.length, 1)
    const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
    assert.deepEqual(rest, { level: 'warn', node: 'node-0', peer: 'node-1', attempts: 3, msg: 'link down' })
    assert.ok(!Number.isNaN(Date.parse(String(time))))
  })

  it('keeps to its level', () => {
    const { logger, lines } = collect({ level: 'warn', format: 'json' })
    logger.debug('a')
    logger.info('b')
    logger.warn('c')
    logger.error('d')
    assert.deepEqual(
      lines.map(line => (JSON.parse(line) as { msg: string }).msg),
      ['c', 'd'],
    )
  })

  it('writes a line for people, at once', () => {
    const { logger, lines } = collect({ level: 'info', format: 'pretty', fields: { node: 'node-0' } })
    logger.info('link up', { peer: 'node-1' })
    assert.match(lines.join(''), /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: node-0 {2}link up \{"peer":"node-1"\}\n$/)
  })
})
