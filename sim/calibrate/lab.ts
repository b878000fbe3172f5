/** Where calibration takes place: the machine's cores, how long each load point lasts, and who is told how far it is. */
export interface Lab {
  /** Where the processes under test and those that load them are pinned; null where the system does not let us. */
  readonly cores: { readonly broker: number; readonly load: number } | null
  /** How long one load point is measured. */
  readonly windowMs: number
  /** How often a figure is taken; its median counts. */
  readonly repetitions: number
  /** Scales numbers of clients, records and messages, down to what a test can wait for. */
  readonly size: number
  /** Aborted, it ends every process, and what was being measured throws. */
  readonly signal: AbortSignal
  readonly progress: (line: string) => void
}

/** At least 1. */
export function sized({ size }: Lab, count: number): number {
  return Math.max(1, Math.round(count * size))
}

/** Calls `measure` as often as the lab repeats, one after the other. */
export async function repeated<T>(
  { repetitions }: Lab,
  measure: (round: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = []
  for (let round = 0; round < repetitions; round++) results.push(await measure(round))
  return results
}

export async function pause(ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
