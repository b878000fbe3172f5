import type { RetainedPayloads } from '../../src/core/ports/retained.ts'

/** Of a node that keeps every payload itself, however large. */
export const payloadsHere: RetainedPayloads = {
  keepsHere: () => true,
  changed() {},
  passing() {},
  fetch: (_entry, done) => done(undefined),
}
