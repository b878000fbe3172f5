/** What a store process is asked, one request at a time. */
export type StoreRequest =
  /** Puts small keys, so many under way at any time; `perTransaction` of them in one. */
  | { kind: 'puts'; prefix: string; underWay: number; perTransaction: number; forMs: number }
  /** Watches everything under the prefix from now on. */
  | { kind: 'watch'; prefix: string }
  /** Events since the watch began, and the CPU time of the process. */
  | { kind: 'count' }

export interface StoreAnswer {
  readonly puts: number
  readonly events: number
  readonly cpuUs: number
}
