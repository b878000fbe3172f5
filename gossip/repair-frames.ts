import { encodePatterns, encodeRepairBegin, encodeRepairEnd, encodeSegments } from './interest-frame-codec.ts'
import type { InterestRepair } from './local-interest.ts'

/** The frames of a repair, in order, each made when it is asked for. */
export function* repairFrames({ summary, segments, patterns }: InterestRepair): Generator<Uint8Array, void> {
  yield encodeRepairBegin({ ...summary, segments: segments.length, hasPatterns: patterns !== undefined })
  for (let at = 0; at < segments.length;) {
    const { frame, next } = encodeSegments(segments, at)
    at = next
    yield frame
  }
  for (let at = 0; patterns !== undefined && at < patterns.length;) {
    const { frame, next } = encodePatterns(patterns, at)
    at = next
    yield frame
  }
  yield encodeRepairEnd()
}
