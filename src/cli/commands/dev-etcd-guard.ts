import type { CommandModule } from 'yargs'
import { runEtcdGuard } from '../dev/etcd-guard.ts'

/** Runs the private etcd of `dev`, and ends it when `dev` is gone. */
export const devEtcdGuardCommand: CommandModule = {
  command: 'dev-etcd-guard',
  describe: false,
  handler: async () => {
    process.exitCode = await runEtcdGuard()
  },
}
