/** On macOS and Windows everything works that needs no fault. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { cli, ROOT } from '../testing/cli.js'
import { freshPath } from '../testing/directory.js'

describe.each(['darwin', 'win32'])('on %s', (platform) => {
  const module = `${freshPath()}.mjs`
  const here = async (...args: string[]) => {
    await writeFile(module, `Object.defineProperty(process, 'platform', { value: '${platform}' })\n`)
    const { exitCode, stdout, stderr } = await cli(args, { env: { NODE_OPTIONS: `--import=${module}` } })
    return { exitCode, stdout, stderr }
  }
  const scenario = path.join(ROOT, 'scenarios/diskfull/neighbour.yaml')

  test.each([['list'], ['show', 'diskfull/neighbour'], ['validate', scenario]])(
    '%s works',
    async (...args) => {
      expect(await here(...args)).toMatchObject({ exitCode: 0, stderr: '' })
    },
  )

  test('run says in one line that it needs Linux', async () => {
    expect(await here('run', 'diskfull')).toEqual({
      exitCode: 3,
      stdout: '',
      stderr: `error: faults are injected on Linux only, and this is ${platform}\nhint: list, show and validate work here; run needs a Linux machine, a container or a VM\n`,
    })
  })

  test('doctor says so, too', async () => {
    const { exitCode, stdout } = await here('doctor')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 3,
      stdout: `no trial can run here: faults are injected on Linux only, and this is ${platform}\nlist, show and validate work here; run needs a Linux machine, a container or a VM\n`,
    })
  })
})
