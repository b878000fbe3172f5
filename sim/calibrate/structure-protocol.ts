/** Bytes per item, and µs of CPU per applied change. */
export interface StructureAnswer {
  readonly perPattern: number
  readonly perFurtherNode: number
  readonly perRetained: number
  readonly perSubscription: number
  readonly usPerChange: number
}
