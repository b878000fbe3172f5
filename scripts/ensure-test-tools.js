// Runs before `npm test`: the integration tests use a real etcd and real clients.
import { spawnSync } from 'child_process'
import { existsSync } from 'fs'
import { delimiter, join } from 'path'

const packages = {
  etcd: 'etcd-server',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
}

function isOnPath(program) {
  return process.env.PATH.split(delimiter).some(directory => existsSync(join(directory, program)))
}

function missingPackages() {
  const missing = Object.keys(packages).filter(program => !isOnPath(program))
  return Array.from(new Set(missing.map(program => packages[program])))
}

function apt(...args) {
  return spawnSync('apt-get', args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

// Partitions are tested in network namespaces, where there is root; elsewhere those tests are skipped and say so.
const wanted = process.getuid() === 0 && !isOnPath('ip') ? ['iproute2'] : []
const missing = missingPackages().concat(wanted)
if (missing.length > 0 && process.getuid() === 0 && isOnPath('apt-get')) {
  process.stderr.write('grapevine: installing ' + missing.join(' and ') + ' for the tests …\n')
  apt('update')
  apt('install', '-y', '--no-install-recommends', ...missing)
}
const left = missingPackages()
if (left.length > 0) {
  process.stderr.write(
    'grapevine: the tests need etcd and the mosquitto clients; install them: sudo apt-get install ' +
      left.join(' ') +
      '\n',
  )
  process.exit(1)
}
