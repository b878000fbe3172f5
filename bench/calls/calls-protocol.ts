import type { LocalMatchSizes } from './local-match.ts'
import type { RemoteMatchSizes } from './remote-match.ts'

/** What a calls process is asked, once. */
export type CallsRequest =
  | { readonly kind: 'local-match'; readonly sizes: LocalMatchSizes }
  | { readonly kind: 'remote-match'; readonly sizes: RemoteMatchSizes }
  | {
      readonly kind: 'remote-changes'
      readonly nodes: number
      readonly filtersPerNode: number
      readonly changes: number
    }
  | { readonly kind: 'codecs'; readonly calls: number }

export interface CallsAnswer {
  /** By the keys of the scenario's metrics. */
  readonly figures: Record<string, number>
  /** Of the whole process. */
  readonly cpuSeconds: number
}
