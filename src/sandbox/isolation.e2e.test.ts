/** Runs where not everything is as it should be: in containers, in directories that are closed, without programs. */
import { chmod, cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonReport } from '../report/json.js'
import { cli, IDENTITIES, ROOT } from '../testing/cli.js'
import { type Container, startContainer } from '../testing/container.js'
import { freshPath } from '../testing/directory.js'
import type { Capability } from './need.js'

const isRoot = process.geteuid?.() === 0
const ONE = ['run', 'diskfull/neighbour', '--trials', '1', '--reporter', 'json']

let container: Container
beforeAll(async () => {
  container = await startContainer()
})
afterAll(() => container.close())

interface Ran {
  readonly exitCode: number | undefined
  readonly isolation: string
  readonly passed: number
}

async function run(options: Parameters<typeof cli>[1], ...args: readonly string[]): Promise<Ran> {
  const { exitCode, stdout, stderr } = await cli([...ONE, ...args], options)
  if (stdout === '') throw new Error(stderr)
  const { isolation, scenarios } = JSON.parse(stdout) as JsonReport
  return { exitCode, isolation, passed: scenarios.reduce((sum, { passed }) => sum + passed, 0) }
}

/** A directory with a program in it that fails, or is not there. */
async function broken(program: string, how: 'fails' | 'is missing'): Promise<string> {
  const directory = freshPath()
  await mkdir(directory)
  await chmod(path.dirname(directory), 0o755)
  const file = path.join(directory, program)
  if (how === 'fails')
    await writeFile(file, '#!/bin/sh\necho "Operation not permitted" >&2\nexit 1\n', { mode: 0o755 })
  else await symlink('/nonexistent', file)
  return directory
}

describe('without namespaces', () => {
  test('a volume is borrowed, and given back', async () => {
    const result = await run({ as: container, cwd: '/' }, 'permissions/mode-000', '--isolation', 'none')
    const identity = isRoot
      ? 'the calling user'
      : 'uid 0, no capabilities (another user cannot run this target)'
    expect(result).toEqual({ exitCode: 0, isolation: `none (${identity})`, passed: 2 })
    expect(container.memory()).toEqual([])
  })

  test('that is found out', async () => {
    const PATH = `${await broken('unshare', 'fails')}:${process.env.PATH}`
    expect((await run({ as: container, cwd: '/', env: { PATH } })).isolation).toMatch(/^none /)
    expect(container.memory()).toEqual([])
  })

  test.runIf(isRoot)(
    'root without CAP_SYS_ADMIN and CAP_SYS_PTRACE runs the target as another user',
    async () => {
      const PATH = `${await broken('unshare', 'fails')}:${process.env.PATH}`
      const lacking = [
        'setpriv',
        '--bounding-set=-sys_admin,-sys_ptrace',
        '--inh-caps=-sys_admin,-sys_ptrace',
      ]
      const as = { prefix: [...container.rootPrefix, ...lacking] }
      expect(await run({ as, cwd: '/', env: { PATH } }, 'permissions/rotation')).toEqual({
        exitCode: 0,
        isolation: 'none (uid 65534, no capabilities)',
        passed: 2,
      })
      expect(container.memory()).toEqual([])
    },
  )

  test('two runs at once are one too many', async () => {
    const both = await Promise.all(
      [1, 2].map(() => cli([...ONE, '--isolation', 'none'], { as: container, cwd: '/' })),
    )
    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 3])
    expect(both.map(({ stderr }) => stderr).join('')).toContain('another run is using /dev/shm')
    expect(container.memory()).toEqual([])
  })

  test('and without a small tmpfs, nothing can run; what would help is said', async () => {
    const PATH = `${await broken('unshare', 'fails')}:${process.env.PATH}`
    const { exitCode, stderr } = await cli(ONE, { as: IDENTITIES.at(-1)!, cwd: '/', env: { PATH } })
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(
      /^error: this host allows no namespaces, and has no small tmpfs to borrow\nhint: run as root /,
    )
  })
})

describe.each(IDENTITIES)('as $name', (as) => {
  const isolation =
    as.name === 'root' ? 'root (uid 65534, no capabilities)' : 'user (the calling user, no capabilities)'

  test('a directory that may not be entered is no hindrance', async () => {
    const closed = freshPath()
    await mkdir(closed)
    await chmod(path.dirname(closed), 0o755)
    await chmod(closed, 0o700)
    const prefix = ['sh', '-c', `cd ${closed} && exec "$@"`, 'sh', ...as.prefix]
    expect(await run({ as: { prefix } })).toEqual({ exitCode: 0, isolation, passed: 1 })
  })

  test('nor is one that is gone, or a umask that lets nobody in', async () => {
    const prefix = ['sh', '-c', `umask 077; cd $(mktemp -d) && rmdir $PWD && exec "$@"`, 'sh', ...as.prefix]
    expect(await run({ as: { prefix } })).toEqual({ exitCode: 0, isolation, passed: 1 })
  })

  test('a target below /dev/shm, which a sandbox covers by default, is found', async () => {
    const prefix = [
      'sh',
      '-c',
      'mkdir -p /dev/shm/test && cp "$0"/* /dev/shm/test && cd /dev/shm/test && exec "$@"',
    ]
    const fixtures = path.join(ROOT, 'fixtures/misbehaving')
    const inContainer = { prefix: [...container.rootPrefix, ...prefix, fixtures, ...as.prefix] }
    const { stdout } = await cli(
      [...ONE, '--target-cmd', 'node ./hangs-at-put.js', '--timeout', '500ms', '--resume-timeout', '500ms'],
      {
        as: inContainer,
      },
    )
    expect((JSON.parse(stdout) as JsonReport).target.name).toBe('misbehaving')
  })

  test('doctor tries everything, and names the root cause of what is missing', async () => {
    const { exitCode, stdout } = await cli(['doctor', '--json'], { as })
    const { capabilities } = JSON.parse(stdout) as { capabilities: Capability[] }
    const why = (need: string) => {
      const found = capabilities.find((capability) => capability.need === need)
      return found?.ok === false ? found.why : 'here'
    }
    expect(exitCode).toBe(0)
    expect([why('tmpfs'), why('mount'), why('prlimit')]).toEqual(['here', 'here', 'here'])
    if (as.name === 'root') return
    const noRoot = "trials are isolated by 'user', which has no real root"
    expect(['root', 'loop', 'mkfs.xfs', 'immutable', 'other-user'].map(why)).toEqual(Array(5).fill(noRoot))
  })
})

describe.runIf(isRoot)('as root', () => {
  test('a program that is missing is named, with the package that it comes in', async () => {
    const missing =
      'mount --bind /dev/null /usr/sbin/mkfs.xfs 2>/dev/null || mount --bind /dev/null /sbin/mkfs.xfs'
    const prefix = ['unshare', '--mount', 'sh', '-c', `${missing}; exec "$@"`, 'sh']
    const { stdout } = await cli(['doctor', '--json'], { as: { prefix } })
    const { capabilities } = JSON.parse(stdout) as { capabilities: Capability[] }
    expect(capabilities.find(({ need }) => need === 'mkfs.xfs')).toMatchObject({
      ok: false,
      why: "the program 'mkfs.xfs' is not on PATH",
      fix: 'apt-get install xfsprogs',
    })
  })

  test('what comes with the package runs as another user, also from below a directory of root alone', async () => {
    const closed = path.join(freshPath(), 'package')
    await mkdir(path.dirname(closed), { mode: 0o700 })
    await mkdir(closed)
    for (const name of ['bin', 'dist', 'scenarios', 'package.json']) {
      await cp(path.join(ROOT, name), path.join(closed, name), { recursive: true })
    }
    await symlink(path.join(ROOT, 'node_modules'), path.join(closed, 'node_modules'))
    await cp(process.execPath, path.join(closed, 'node'))
    const { stdout } = await execa(path.join(closed, 'node'), [
      path.join(closed, 'bin/lightning-chaos.js'),
      ...ONE,
    ])
    expect((JSON.parse(stdout) as JsonReport).isolation).toBe('root (uid 65534, no capabilities)')
  })

  test('a target that no other user can read runs as root without capabilities, and the report says so', async () => {
    const closed = freshPath()
    await mkdir(closed, { mode: 0o700 })
    await cp(path.join(ROOT, 'fixtures/misbehaving'), closed, { recursive: true })
    const target = `node ${closed}/hangs-at-put.js`
    const args = ['--target-cmd', target, '--timeout', '500ms', '--resume-timeout', '500ms']
    expect((await run({}, ...args)).isolation).toBe(
      'root (uid 0, no capabilities (another user cannot run this target))',
    )
  })
})

describe('exits 3 and says what would help, where there is', () => {
  test('no unshare', async () => {
    const hide = 'mount --bind /dev/null "$(command -v unshare)"; exec "$@"'
    const namespaces = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
    const prefix = ['unshare', ...namespaces, 'sh', '-c', hide, 'sh']
    const { exitCode, stderr } = await cli(ONE, { as: { prefix } })
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr:
        "error: the program 'unshare' is not on PATH\nhint: apt-get install util-linux mount (Alpine: apk add util-linux coreutils)\n",
    })
  })

  test('no /proc', async () => {
    const namespaces = [...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', '--pid', '--fork']
    const prefix = ['unshare', ...namespaces, 'sh', '-c', 'mount -t tmpfs none /proc; exec "$@"', 'sh']
    const { exitCode, stderr } = await cli(ONE, { as: { prefix } })
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: 'error: there is no /proc/self/stat\nhint: mount -t proc proc /proc\n',
    })
  })

  test.runIf(isRoot)('no root for an isolation that wants it', async () => {
    const { exitCode, stderr } = await cli([...ONE, '--isolation', 'root'], { as: IDENTITIES[1]! })
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr:
        "error: this host does not give the isolation 'root'\nhint: run as root (in a container: docker run --privileged)\n",
    })
  })
})
