import { runChaos } from '../../sim/chaos/chaos-run.ts'

/** Prints the trace hash of one run: a process of its own shares nothing with the test's. */
const { traceHash } = await runChaos({ seed: Number(process.argv[2]), nodes: 3, minutes: 1, isRoaming: true })
process.stdout.write(traceHash)
