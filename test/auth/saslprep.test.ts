import assert from 'node:assert/strict'
import { saslPrepared } from '../../src/auth/saslprep.ts'

describe('saslPrepared', () => {
  // RFC 4013 section 3, but for the last one, which is about writing directions.
  for (const [input, output] of [
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['\u0007', undefined],
    ['a\u00a0b\u3000c', 'a b c'],
    ['e\u0301', 'é'],
    ['pass word', 'pass word'],
    ['日本語 🙂', '日本語 🙂'],
    ['', undefined],
    ['\u200d\ufeff', undefined],
    ['a\u007f', undefined],
    ['a\u2028', undefined],
    ['a\ue000', undefined],
    ['a\uffff', undefined],
    ['a\ud800', undefined],
    ['a\ufffd', undefined],
  ] as const) {
    it(`makes ${output === undefined ? 'nothing' : spelled(output)} of ${spelled(input)}`, () => {
      assert.equal(saslPrepared(input), output)
    })
  }
})

/** Invisible characters as escapes, so that the report can be read. */
function spelled(text: string): string {
  return `"${text.replace(/[\p{C}\p{Z}\p{M}]/gu, c => (c === ' ' ? c : `\\u{${c.codePointAt(0)?.toString(16)}}`))}"`
}
