import type { BacklogResult, BacklogSpec } from './backlog.ts'
import type { ConnectStormResult, ConnectStormSpec } from './connect-storm.ts'
import type { FlowResult, FlowSpec, LoadTarget, LoadTiming } from './flow-spec.ts'
import type { IdleClientsSpec } from './idle-clients.ts'
import type { SpreadResult, SpreadSpec, SpreadTarget } from './spread-spec.ts'
import type { TakeoverResult, TakeoverSpec, TakeoverTarget } from './takeover-spec.ts'

/** What the bench asks its load process to do, one request at a time, over the IPC channel. */
export type LoadRequest =
  | { kind: 'flow'; spec: FlowSpec; target: LoadTarget; timing: LoadTiming }
  | { kind: 'connect-storm'; spec: ConnectStormSpec; target: LoadTarget; timing: LoadTiming }
  | { kind: 'spread'; spec: SpreadSpec; target: SpreadTarget; timing: LoadTiming }
  | { kind: 'spread-close' }
  | { kind: 'takeover'; spec: TakeoverSpec; target: TakeoverTarget; timing: LoadTiming }
  | { kind: 'backlog'; spec: BacklogSpec; target: LoadTarget }
  | { kind: 'idle-open'; spec: IdleClientsSpec; target: LoadTarget }
  | { kind: 'idle-close' }

export interface LoadResults {
  flow: FlowResult
  'connect-storm': ConnectStormResult
  spread: SpreadResult
  'spread-close': null
  takeover: TakeoverResult
  backlog: BacklogResult
  'idle-open': null
  'idle-close': null
}

/** `fault`: what the broker did wrong; anything else that fails ends the load process. */
export type LoadAnswer = { result: LoadResults[keyof LoadResults] } | { fault: string }
