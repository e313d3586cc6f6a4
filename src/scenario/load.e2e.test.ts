import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli, IDENTITIES } from '../testing/cli.js'

test('refuses a file that the user may not read', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'lightning-chaos-test-'))
  await chmod(directory, 0o755)
  const file = path.join(directory, 'secret.yaml')
  await writeFile(file, 'name: a/b', { mode: 0 })
  const { exitCode, stderr } = await cli(['list', file], { as: IDENTITIES.at(-1)! })
  await rm(directory, { recursive: true })
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: `error: ${file}: may not be read\nhint: chmod +r ${file}\n`,
  })
})
