// Installs the packages of packages.txt that are not there, with apt; through sudo when not root.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const wanted = readFileSync(new URL('./packages.txt', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.replace(/#.*/, '').trim())
  .filter((line) => line !== '')
const missing = wanted.filter((name) => {
  const { stdout } = spawnSync('dpkg-query', ['-s', name], { encoding: 'utf8' })
  return !stdout?.includes('Status: install ok installed')
})

function apt(...args) {
  // sudo gives our environment to nobody
  const asRoot = process.getuid() === 0 ? ['env'] : ['sudo', 'env']
  const [program, ...rest] = [...asRoot, 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y', ...args]
  execFileSync(program, rest, { stdio: ['ignore', 'ignore', 'inherit'] })
}

if (missing.length > 0) {
  console.log(`installing ${missing.join(' ')}`)
  try {
    apt('update')
    apt('install', '--no-install-recommends', ...missing)
  } catch (error) {
    console.error(`these packages cannot be installed: ${error.message}
have root do it: apt-get install --no-install-recommends ${missing.join(' ')}
or call 'npm test', which does without, and names each test that it skips`)
    process.exitCode = 1
  }
}
