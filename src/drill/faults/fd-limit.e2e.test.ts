/** A process that can open nothing more, and those that it has started. */
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { OPEN_FILES, softLimit } from '../../sandbox/process-limits.js'
import { cli } from '../../testing/cli.js'
import { describeDrills, POLL } from '../../testing/drills.js'
import { hasCapability } from '../host/capabilities.js'

describeDrills('fd-limit', ({ ground, drill, serve }) => {
  test("the service's own calls fail, and the kernel's trace shows it", async () => {
    const { pid } = await serve(`print("there")
while True:
    try: open("/dev/null").close()
    except OSError: pass
    time.sleep(0.05)
`)
    const limits = readFileSync(`/proc/${pid}/limits`, 'latin1')
    const { exitCode, stdout, stderr } = await drill('fd-limit', '--pid', String(pid), '--for', '1s')
    expect(exitCode, stdout + stderr).toBe(0)
    const isTraced = existsSync('/sys/kernel/tracing/instances')
    expect(stdout).toMatch(isTraced ? /EMFILE direct [1-9]\d* probe 1/ : /EMFILE probe 1/)
    expect(readFileSync(`/proc/${pid}/limits`, 'latin1')).toBe(limits)
  })

  test('is raised again where the process made the low one its hard limit, too', async () => {
    const service = await serve(`resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
print("there")
sys.stdin.readline()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
print(soft)
time.sleep(1000)
`)
    const soft = () => softLimit(service.pid, OPEN_FILES)
    expect(soft()).toBe('100')
    const running = drill('fd-limit', '--pid', String(service.pid), '--for', '3s')
    await expect.poll(soft, POLL).not.toBe('100')
    service.stdin!.write('\n')
    await service.nextLine()
    const { exitCode, stdout, stderr } = await running
    if (hasCapability('sys_resource')) {
      expect(exitCode, stdout + stderr).toBe(0)
      expect(soft()).toBe('100')
      return
    }
    // some roots may not raise a hard limit; then it is not called undone as long as the process is there
    expect(exitCode, stdout + stderr).toBe(4)
    expect(stderr).toMatch(/the limit of \d+ cannot be raised/)
    service.kill('SIGKILL')
    await once(service, 'exit')
    const { exitCode: later, stdout: said } = await cli(['drill', 'undo', '--state', ground.state])
    expect([later, said]).toEqual([0, expect.stringMatching(/has ended/)])
  })

  test('a child that had that very limit before keeps it', async () => {
    const service = await serve(`print("there")
unused = os.open("/dev/null", os.O_RDONLY)
os.close(unused)
resource.setrlimit(resource.RLIMIT_NOFILE, (unused, 500))
child = os.fork()
if child:
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
    print(child)
time.sleep(1000)
`)
    const child = Number(await service.nextLine())
    const before = softLimit(child, OPEN_FILES)
    const running = drill('fd-limit', '--pid', String(service.pid), '--for', '2s')
    await expect.poll(() => softLimit(service.pid, OPEN_FILES), POLL).toBe(before)
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(softLimit(child, OPEN_FILES)).toBe(before)
    expect(softLimit(service.pid, OPEN_FILES)).not.toBe(before)
    process.kill(child)
  })

  test('one that has more open than its limit is refused, and not given more', async () => {
    const { pid } = await serve(`taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
resource.setrlimit(resource.RLIMIT_NOFILE, (10, 500))
print("there"); time.sleep(1000)
`)
    const { exitCode, stderr } = await drill('fd-limit', '--pid', String(pid))
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/can open nothing more already/)])
  })

  test('what is started meanwhile gets its limit back, too', async () => {
    const service = await serve(`print("there")
sys.stdin.readline()
child = os.fork()
if child: print(child)
time.sleep(1000)
`)
    const limits = (pid: number) => readFileSync(`/proc/${pid}/limits`, 'latin1')
    const before = limits(service.pid)
    const running = drill('fd-limit', '--pid', String(service.pid), '--for', '3s')
    await expect.poll(() => limits(service.pid), POLL).not.toBe(before)
    service.stdin!.write('\n')
    const child = Number(await service.nextLine())
    expect(limits(child)).not.toBe(before)
    const { exitCode, stdout, stderr } = await running
    expect(exitCode, stdout + stderr).toBe(0)
    expect(limits(child)).toBe(before)
    process.kill(child)
  })
})
