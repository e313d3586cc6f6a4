/** A tree that nobody may change, not even root. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { describeDrills, POLL } from '../../testing/drills.js'

describeDrills('immutable', ({ ground, services, drill, place }) => {
  test('nobody changes anything, whatever its name, and what was so before stays so', async () => {
    const flags = () =>
      Object.entries(ground.snapshot())
        .filter(([name]) => name.startsWith(ground.data))
        .flatMap(([, facts]) => /(?<= )0x[0-9a-f]+(?= |$)/.exec(facts) ?? [])
    const locked = () => flags().filter((each) => (Number(each) & 0x10) !== 0).length
    const all = flags().length
    const running = drill('immutable', ...place(), '--for', '3s')
    await expect.poll(locked, POLL).toBe(all)
    expect(() => writeFileSync(path.join(ground.data, 'main.db'), 'by root')).toThrow(/EPERM/)
    // somebody needs one of them meanwhile, and changes its mode
    execFileSync('chattr', ['-i', path.join(ground.data, 'main.db')])
    const log = path.join(ground.data, 'wal/000001.log')
    execFileSync('chattr', ['-i', path.dirname(log), log])
    renameSync(log, `${log}.old`)
    linkSync(`${log}.old`, `${log}.second`)
    execFileSync('chattr', ['+i', `${log}.old`])
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/EPERM probe \d/)
    expect(stderr).toMatch(/left as it is: .*000001.log: has the name .*000001.log.(old|second) by now/)
    expect(locked()).toBe(1)
    rmSync(`${log}.second`)
    renameSync(`${log}.old`, log)
  })

  test.each(['before it', 'while it is on'])('waits for who has a lease on a file, from %s', async (when) => {
    const file = path.join(ground.data, 'wal/000001.log')
    // as samba does: gives it up when it is asked to, and that takes a moment
    const lease = async () => {
      const script = `import fcntl, os, signal, time
fd = os.open("${file}", os.O_RDONLY)
asked = []
signal.signal(signal.SIGIO, lambda *_: asked.append(1))
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("there")
while not asked: time.sleep(0.05)
time.sleep(0.5)
`
      const holder = spawn('python3', ['-uc', script], { stdio: ['ignore', 'pipe', 'inherit'] })
      services.push(holder)
      await once(holder.stdout, 'data')
    }
    const isLocked = () => {
      const [flags] = /(?<= )0x[0-9a-f]+(?= |$)/.exec(ground.snapshot()[file]!)!
      return (Number(flags) & 0x10) !== 0
    }
    if (when === 'before it') await lease()
    const running = drill('immutable', ...place(), '--for', '3s')
    const log = path.join(ground.state, 'audit.jsonl')
    const isOn = () => readFileSync(log, 'utf8').trim().split('\n').at(-1)
    await expect.poll(isOn, POLL).toMatch(`"injected"`)
    expect(isLocked()).toBe(true)
    if (when !== 'before it') await lease()
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(isLocked()).toBe(false)
  })
})
