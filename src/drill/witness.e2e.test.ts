/** Who tries to write, as the user of the service, with what that may do and no more. */
import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { cli, NOBODY as NOBODY_PREFIX } from '../testing/cli.js'
import { describeDrills, POLL, start } from '../testing/drills.js'

describeDrills('the witness', ({ argv, place }) => {
  test('passes over what the service passes over, by a capability', async () => {
    const capability = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override']
    const { pid } = spawn(NOBODY_PREFIX[0]!, [...NOBODY_PREFIX.slice(1), ...capability, 'sleep', '1000'])
    await expect.poll(() => readFileSync(`/proc/${pid}/comm`, 'latin1'), POLL).toBe('sleep\n')
    const { exitCode, stdout, stderr } = await cli(
      argv('permissions', ...place(), '--for', '500ms', '--pid', String(pid)),
    )
    process.kill(pid!, 'SIGKILL')
    expect(stderr).toMatch('uid 65534, gid 65534, cap_dac_override')
    expect(stdout).toMatch(/no evidence that the fault was there: .* worked/)
    expect(exitCode).toBe(1)
  })

  test('is out of reach of the user that it becomes, and has no secrets', async () => {
    const running = await start(argv('diskfull', ...place(), '--for', '600s'), { SECRET_OF_ROOT: 'hunter2' })
    const tool = running.child.pid
    const of = (pid: string, what: string) => readFileSync(`/proc/${pid}/${what}`, 'latin1')
    const witness = of(`${tool}/task/${tool}`, 'children')
      .trim()
      .split(' ')
      .find((pid) => of(pid, 'cmdline').includes('witness.js'))!
    expect(of(witness, 'environ')).not.toContain('hunter2')
    const listening = () => {
      const sockets = readdirSync(`/proc/${witness}/fd`).map((fd) =>
        readlinkSync(`/proc/${witness}/fd/${fd}`),
      )
      const ports = of(witness, 'net/tcp')
        .split('\n')
        .filter((line) => line.split(/ +/)[4] === '0A')
      return ports.filter((line) => sockets.includes(`socket:[${line.trim().split(/ +/)[9]}]`))
    }
    const ask = [...NOBODY_PREFIX, 'kill', '-USR1', witness] as const
    // the debugger of Node would be there after one or two
    for (let asked = 0; asked < 50; asked += 1) {
      execFileSync(ask[0]!, ask.slice(1))
      expect(listening()).toEqual([])
    }
    running.child.kill('SIGINT')
    expect((await running.end()).output).toMatch(/undone: .*ended early: stopped by the user/s)
  })
})
