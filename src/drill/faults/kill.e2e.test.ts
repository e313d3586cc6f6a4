/** A process that is killed, and has to be started again by somebody. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { describeDrills, POLL } from '../../testing/drills.js'

describeDrills('kill', ({ ground, services, drill, serve }) => {
  /** Starts it again, and tells each pid. */
  const supervised = (times: number) => `import subprocess
for _ in range(${times}):
  child = subprocess.Popen(["sleep", "1000"])
  print(child.pid)
  child.wait()
`
  const started = async (times: number) => {
    const child = spawn('python3', ['-uc', supervised(times)], { stdio: ['ignore', 'pipe', 'inherit'] })
    services.push(child)
    let pids = ''
    child.stdout.on('data', (chunk) => (pids += chunk))
    await expect.poll(() => pids, POLL).toMatch(/\n/)
    const last = () => Number(pids.trim().split('\n').at(-1))
    const file = path.join(ground.directory, 'check')
    writeFileSync(file, `#!/bin/sh\ntest -n "$(cat /proc/${child.pid}/task/${child.pid}/children)"\n`, {
      mode: 0o755,
    })
    return { pid: last(), last, probe: file }
  }

  test('is passed where the service comes back', async () => {
    const { pid, last, probe } = await started(2)
    const { exitCode, stdout, stderr } = await drill(
      'kill',
      '--pid',
      String(pid),
      '--for',
      '500ms',
      '--probe',
      probe,
      '--every',
      '100ms',
    )
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/SIGKILL probe 1/)
    expect(last()).not.toBe(pid)
    process.kill(last(), 'SIGKILL')
  })

  test('is not, where it does not', async () => {
    const { pid, probe } = await started(1)
    const recover = ['--recover', '500ms', '--every', '100ms']
    const { exitCode, stdout } = await drill(
      'kill',
      '--pid',
      String(pid),
      '--for',
      '300ms',
      '--probe',
      probe,
      ...recover,
    )
    expect(stdout).toMatch(/no-recovery \(grace\): 0.5 s after the fault was undone/)
    expect(exitCode).toBe(1)
  })

  test('of a number that is another process by the next round is refused', async () => {
    const service = await serve('print("there"); time.sleep(1000)')
    // takes the number as soon as it is free
    const taker = `import os, time
number = ${service.pid}
while not os.path.exists("/proc/%d" % number):
    with open("/proc/sys/kernel/ns_last_pid", "w") as last: last.write(str(number - 1))
    child = os.fork()
    if child == number: print(child, flush=True)
    elif child: os.waitpid(child, 0)
    if child == 0 and os.getpid() == number: os.setsid(); os.closerange(0, 3); time.sleep(1000)
    if child == 0: os._exit(0)
`
    const script = path.join(ground.directory, 'taker.py')
    writeFileSync(script, taker)
    const options = [
      '--pid',
      String(service.pid),
      '--rounds',
      '2',
      '--for',
      '300ms',
      '--probe',
      `python3 ${script}`,
    ]
    const { exitCode, stdout, stderr } = await drill('kill', ...options)
    // it would have ended in the second round
    process.kill(service.pid, 'SIGKILL')
    expect(stdout, stderr).toMatch(/not done: \d+ is another process by now: python3/)
    expect(exitCode).toBe(1)
  })
})
