#!/usr/bin/env node
// Parses on old Nodes, so that they can be told what is missing. It finds a Node that is new enough and hands over to
// the command line in src/ (a clone) or dist/ (an installed package).
import { spawn } from 'child_process'
import { existsSync } from 'fs'
import os from 'os'
import { dirname, join } from 'path'
import { fileURLToPath, pathToFileURL } from 'url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const oldest = [22, 18]

// Brokers live on short-lived network buffers outside V8's heap. A small nursery is emptied before they amount to much; with the
// default one V8 marks the whole heap several times a second instead, which costs half the throughput and most of the tail latency.
// `dev` has several nodes in one process, which fill it as often as there are more of them, until it is emptied while messages are on
// their way: what is in it then is kept, and the whole heap marked every few seconds.
const nodesPerNursery = 5
const nursery = '--max-semi-space-size=' + Math.min(32, 8 * Math.ceil(nodesHere() / nodesPerNursery))

// V8 has four threads help it to mark a large heap, however few cores there are: on a single one they left the broker a fifth of it,
// for some 80 ms each time. There even one gains nothing: the broker marks by itself, a little at a time, and has the rest of the core.
const cores = os.availableParallelism === undefined ? os.cpus().length : os.availableParallelism()
const helpers =
  cores > 1 ? ['--v8-pool-size=' + Math.min(4, cores)] : ['--v8-pool-size=1', '--no-concurrent-marking']

function nodesHere() {
  const line = process.argv.slice(2).join(' ')
  const found = /^dev .*--nodes[ =](\d+)/.exec(line)
  const isOneEach = /--coordination[ =]etcd/.test(line)
  return found === null || isOneEach ? 1 : Math.max(1, Number(found[1]))
}

function wantsTuning() {
  const isServing = ['start', 'dev', 'dev-node'].indexOf(process.argv[2]) !== -1
  return (
    isServing &&
    !/max[-_]semi[-_]space[-_]size/.test(process.execArgv.concat(process.env.NODE_OPTIONS).join())
  )
}

function isNewEnough() {
  const version = process.versions.node.split('.').map(Number)
  return version[0] > oldest[0] || (version[0] === oldest[0] && version[1] >= oldest[1])
}

function fail(message) {
  process.stderr.write('grapevine: ' + message + '\n')
  process.exit(1)
}

// The channel between the two tells the other when this process is gone, even by kill -9.
function runWith(node) {
  const argv = [nursery].concat(helpers, fileURLToPath(import.meta.url), process.argv.slice(2))
  const child = spawn(node, argv, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  signals.forEach(signal => process.on(signal, () => child.kill(signal)))
  child.on('error', error => fail('cannot run ' + node + ' (' + error.message + ')'))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    signals.forEach(name => process.removeAllListeners(name))
    process.kill(process.pid, signal)
  })
}

function runHere() {
  const sources = join(root, 'src', 'cli', 'main.ts')
  const entry = existsSync(sources) ? sources : join(root, 'dist', 'src', 'cli', 'main.js')
  if (!existsSync(entry))
    fail('this copy is incomplete, ' + entry + ' is missing; install it again, or run npm run build')
  import(pathToFileURL(entry).href).then(
    cli => cli.main(process.argv.slice(2)),
    error => {
      const missing = /Cannot find package '([^']+)'/.exec(error.message)
      if (error.code !== 'ERR_MODULE_NOT_FOUND' || missing === null) throw error
      fail('its dependencies are not installed (' + missing[1] + ' is missing); run npm ci in ' + root)
    },
  )
}

const pinned = join(root, 'node_modules', '.bin', 'node')
if (isNewEnough() && wantsTuning() && process.execve !== undefined && !process.connected) {
  // Replaces this process, which has no other way to set what V8 reads at its start.
  const argv = [process.execPath, nursery].concat(helpers, process.execArgv, process.argv.slice(1))
  process.execve(process.execPath, argv, process.env)
} else if (isNewEnough()) {
  runHere()
} else if (existsSync(pinned)) {
  runWith(pinned)
} else {
  const isClone = existsSync(join(root, 'package-lock.json'))
  fail(
    'Node ' +
      oldest.join('.') +
      ' or newer is needed, this is ' +
      process.versions.node +
      ' (' +
      process.execPath +
      '); ' +
      'install a newer one' +
      (isClone ? ', or run npm ci in ' + root + ', which brings one' : ''),
  )
}
