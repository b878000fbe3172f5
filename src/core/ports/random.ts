/** Randomness. A simulated one is a function of its seed; a real one is cryptographically strong. */
export interface Random {
  /** An integer, uniform in [0, 2^32). */
  uint32(): number
  /** Uniform in [0, 1). */
  fraction(): number
  /** `count` random bytes, in a buffer of their own. */
  bytes(count: number): Uint8Array
}
