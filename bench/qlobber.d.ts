/** What the benchmarks use of `qlobber`, which ships no types. */
declare module 'qlobber' {
  export class Qlobber<V> {
    constructor(options: { separator: string; wildcard_one: string; wildcard_some: string })
    add(filter: string, value: V): this
    match(topic: string): V[]
  }
}
