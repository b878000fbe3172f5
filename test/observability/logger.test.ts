import assert from 'node:assert/strict'
import { createLogger, type LoggerOptions } from '../../src/observability/logger.ts'

describe('createLogger', () => {
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
