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

if (missing.length > 0) {
  const apt = (...args) => {
    const command = [...(process.getuid() === 0 ? [] : ['sudo']), 'apt-get', '-qq', '-y', ...args]
    execFileSync(command[0], command.slice(1), {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  }
  console.log(`installing ${missing.join(' ')}`)
  apt('update')
  apt('install', '--no-install-recommends', ...missing)
}
