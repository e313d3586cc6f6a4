/** A directory above the one that is drilled gets another name meanwhile. */
import { readFileSync, renameSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli } from '../../testing/cli.js'
import { describeDrills, POLL } from '../../testing/drills.js'
import { mounts } from '../host/mounts.js'

describeDrills('moved', ({ ground, drill }) => {
  test.each([
    ['readonly', [], 4],
    ['quota-volume', ['--size', '8MiB', '--stop-cmd', 'true', '--start-cmd', 'true'], 1],
  ] as const)('%s comes back where a directory above it has another name', async (fault, options, code) => {
    const wal = path.join(ground.data, 'wal')
    const running = drill(fault, '--path', wal, '--for', '4s', ...options)
    const covers = () => mounts().filter(({ point }) => point.startsWith(`${ground.mountPoint}/`))
    const log = path.join(ground.state, 'audit.jsonl')
    const isOn = () => readFileSync(log, 'utf8').trim().split('\n').at(-1)
    await expect.poll(isOn, POLL).toMatch(`"injected"`)
    expect(covers()).toHaveLength(1)
    const away = `${ground.data}.away`
    renameSync(ground.data, away)
    const { exitCode, stdout, stderr } = await running
    renameSync(away, ground.data)
    // the first waits for the name in its journal, the second is undone, which the witness cannot see
    expect(exitCode, stdout + stderr).toBe(code)
    expect(stdout + stderr).toMatch(/not the directory any more|not be verified that all is undone/)
    const undo = await cli(['drill', 'undo', '--state', ground.state])
    expect(undo.exitCode, undo.stderr).toBe(0)
    expect(covers()).toEqual([])
  })
})
