import { replay } from '../../sim/chaos/chaos-command.ts'

/** Prints the trace hash of one run: a process of its own shares nothing with the test's. */
const { traceHash } = await replay({ seed: Number(process.argv[2]), nodes: 3, minutes: 1, isRoaming: true })
process.stdout.write(traceHash)
