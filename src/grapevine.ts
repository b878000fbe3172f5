/** The package's entry: everything an embedder may rely on. */
export { createNode, type NodeComponents } from './node/create-node.ts'
export type { GrapevineNode, NodeDrainOptions } from './node/grapevine-node.ts'
export type { DrainStatus } from './core/ports/node-control.ts'
export { parseConfig } from './config/parse-config.ts'
export type { NodeConfig, NodeConfigInput } from './config/schema.ts'
export { GrapevineError, errorCodes, type ErrorCode } from './core/errors.ts'
export type { ClusterStatus, ReadinessCheck, Metric } from './core/ports/node-status.ts'
export type { Logger, LogFields } from './core/ports/logger.ts'
