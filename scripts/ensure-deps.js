// Runs before `npm start` and `npm test`, under whatever Node the system has: installs what package-lock.json says when
// that is not what is there.
import { spawnSync } from 'child_process'
import { dirname } from 'path'
import { fileURLToPath } from 'url'
import { markInstalled, reasonToInstall } from './dependencies.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const reason = reasonToInstall(root)
if (reason !== undefined) {
  process.stderr.write(
    'grapevine: installing dependencies with npm ci, because ' + reason + ' (a minute or so) …\n',
  )
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) {
    process.stderr.write(
      'grapevine: npm ci failed; see its output above, then run it by hand in ' + root + '\n',
    )
    process.exit(1)
  }
  markInstalled(root)
}
