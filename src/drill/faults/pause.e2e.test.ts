/** A process that is stopped, and goes on. */
import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { cli, NOBODY } from '../../testing/cli.js'
import { describeDrills, POLL } from '../../testing/drills.js'
import { processState } from '../host/processes.js'

describeDrills('pause', ({ ground, services, drill, serve }) => {
  test('of a process that waits for a disk ends, also where the stop has yet to arrive', async () => {
    const { pid, stdin } = await serve(`print("there"); sys.stdin.readline()
file = os.open("${ground.data}/wal/000001.log", os.O_WRONLY)
os.write(file, b"c")
time.sleep(1000)
`)
    execFileSync('fsfreeze', ['--freeze', ground.mountPoint])
    try {
      stdin!.write('\n')
      await expect.poll(() => processState(pid)?.state, POLL).toBe('D')
      const { exitCode, stdout } = await drill('pause', '--pid', String(pid), '--for', '300ms')
      expect(exitCode, stdout).toBe(1)
      expect(stdout).toMatch(/no evidence|nothing showed it/)
    } finally {
      execFileSync('fsfreeze', ['--unfreeze', ground.mountPoint])
    }
    await expect.poll(() => processState(pid)?.state, POLL).toBe('S')
    expect(readFileSync(`/proc/${pid}/status`, 'latin1')).toMatch(/^SigPnd:\s+0+$/m)
  })

  test('stops, is seen, and lets go on', async () => {
    const { pid } = await serve('print("there"); time.sleep(1000)')
    const { exitCode, stdout, stderr } = await drill('pause', '--pid', String(pid), '--for', '500ms')
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/SIGSTOP probe 1/)
    expect(processState(pid)?.state).toBe('S')
  })

  test('what was stopped before stays so, and proves nothing', async () => {
    const { pid } = await serve('print("there"); time.sleep(1000)')
    process.kill(pid, 'SIGSTOP')
    await expect.poll(() => processState(pid)?.state, POLL).toBe('T')
    const { exitCode } = await drill('pause', '--pid', String(pid), '--for', '300ms')
    expect(exitCode).toBe(1)
    expect(processState(pid)?.state).toBe('T')
  })

  test.each([
    ['the first process', () => 1, /part of the system/],
    ['a thread of the kernel', () => 2, /part of the system/],
    ['what the drill runs in', () => process.pid, /what this drill runs in/],
  ])('%s is refused', async (_, pid, why) => {
    const { exitCode, stderr } = await drill('pause', '--pid', String(pid()))
    expect(stderr).toMatch(why)
    expect(exitCode).toBe(3)
  })

  test("another user's process is refused, and nothing is begun", async () => {
    const child = spawn('sleep', ['1000'])
    services.push(child)
    const state = path.join(ground.directory, 'own')
    mkdirSync(state)
    chownSync(state, 65534, 65534)
    for (const fault of ['pause', 'kill', 'fd-limit']) {
      const argv = ['drill', fault, '--pid', String(child.pid), '--user', '65534', '--state', state, '--yes']
      const { exitCode, stderr } = await cli(argv, { as: { prefix: NOBODY } })
      expect(stderr).toMatch(/is another user's/)
      expect(exitCode).toBe(3)
      expect(readdirSync(state)).toEqual([])
    }
  })

  test('a process has to be named, and to be there', async () => {
    expect((await drill('pause')).stderr).toMatch(/pause needs a process/)
    expect((await drill('pause', '--pid', '999999999')).stderr).toMatch(/there is no process 999999999/)
  })

  test('a thread is no process, and might be one of those that the drill runs in', async () => {
    const service = await serve(`import threading
print("there")
threading.Thread(target=lambda: print(threading.get_native_id()) or time.sleep(1000)).start()
`)
    const thread = await service.nextLine()
    const { exitCode, stderr } = await drill('pause', '--pid', thread)
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(`name the process: --pid ${service.pid}`)])
  })
})
