/** `npm pack`, and then what a user does with the package, in an empty folder. */
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { beforeAll, expect, test } from 'vitest'
import { ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

const MOST_KIB = 10 * 1024
/** The npm cache has every package already, from the installation that these tests run in. */
const OFFLINE = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

const folder = freshPath()
let tarball: string
beforeAll(async () => {
  await mkdir(folder)
  // dist is there already: the tests need it, and others may be using it
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
  })
  tarball = `./${(JSON.parse(packed.toString()) as [{ filename: string }])[0].filename}`
})

test('npx runs it', { timeout: 180_000 }, async () => {
  const args = ['--yes', ...OFFLINE, tarball, 'run', 'diskfull/neighbour', '--trials', '1']
  const { stdout } = await execa('npx', args, { cwd: folder })
  expect(stdout).toMatch(/\nPASS 100\.0% \(1\/1\) >= 95%$/)
})

test('it is small, has no tests in it, and nothing in it runs on installation', {
  timeout: 180_000,
}, async () => {
  await execa('npm', ['install', ...OFFLINE, '--ignore-scripts', '--no-save', tarball], { cwd: folder })
  const modules = path.join(folder, 'node_modules')
  const [size] = execFileSync('du', ['-sk', modules]).toString().split('\t')
  expect(Number(size)).toBeLessThan(MOST_KIB)

  const files = await readdir(modules, { recursive: true })
  const ours = files.filter((file) => file.startsWith('lightning-chaos/'))
  expect(ours.filter((file) => /\.test\.|\/testing\/|\/src\/.*\.ts$/.test(file))).toEqual([])
  expect(ours).toContain('lightning-chaos/src/target/adapters/sqlite.py')

  for (const file of files.filter((name) => /(^|\/)package\.json$/.test(name))) {
    const { scripts = {} } = JSON.parse(await readFile(path.join(modules, file), 'utf8')) as {
      scripts?: object
    }
    const onInstall = Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))
    expect(onInstall, file).toEqual([])
  }
})
