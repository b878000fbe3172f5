import type { CommandModule } from 'yargs'
import { calibrateCommand } from './sim/calibrate.ts'
import { capacityCommand } from './sim/capacity.ts'
import { chaosCommand } from './sim/chaos.ts'
import { convergenceCommand } from './sim/convergence.ts'
import { compareCommand } from './sim/compare.ts'
import { replayCommand } from './sim/replay.ts'

export const simCommand: CommandModule = {
  command: 'sim',
  describe: 'Simulate clusters: the production code under virtual time, network, etcd and disks',
  builder: yargs =>
    yargs
      .command(capacityCommand)
      .command(chaosCommand)
      .command(compareCommand)
      .command(replayCommand)
      .command(calibrateCommand)
      .command(convergenceCommand)
      .demandCommand(1, 'say what to simulate, such as chaos; sim --help lists it'),
  handler: () => undefined,
}
