import type { NodeConfig } from '../../config/schema.ts'
import type { ErrorCode } from '../../core/errors.ts'

/** The one message `dev` sends to a node in a process of its own. The end of the channel means: stop. */
export interface ToNodeProcess {
  readonly config: NodeConfig
}

/** What that process answers. */
export type FromNodeProcess =
  | { readonly type: 'listening'; readonly mqttAddress: string; readonly adminUrl: string }
  | { readonly type: 'ready' }
  /** The process ends. `code` is set for an operator's fault. */
  | { readonly type: 'failed'; readonly code: ErrorCode | undefined; readonly message: string }
