/**
 * FNV-1a, 32 bit, of a filter's UTF-8 bytes. A node's interest is summed up as the sum of its filters' hashes modulo
 * 2^32: cheap to keep up on every change, at both ends, in any order.
 */
export function filterHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash >>> 0
}
