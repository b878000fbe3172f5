import { GrapevineError } from '../core/errors.ts'
import { crossFieldFaults } from './cross-field-rules.ts'
import { configSchema, type NodeConfig, type NodeConfigInput } from './schema.ts'

/**
 * A whole configuration from the keys an embedder sets; the rest has its defaults. Files, variables and flags are not looked
 * at. Throws CONFIG_INVALID with every fault, one a line, each with its path.
 */
export function parseConfig(input: NodeConfigInput): NodeConfig {
  const parsed = configSchema.safeParse(input)
  const faults = parsed.success
    ? crossFieldFaults(parsed.data).map(({ path, message }) => `${path}: ${message}`)
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  if (parsed.success && faults.length === 0) return parsed.data
  throw new GrapevineError('CONFIG_INVALID', ['the configuration has mistakes:', ...faults].join('\n  '))
}
