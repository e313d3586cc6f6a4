/** A file on what is drilled that somebody has a disk on. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { describeDrills } from '../../testing/drills.js'

const SIZE = 8 << 20

describeDrills('a disk that is a file', ({ ground, drill, place }) => {
  const image = () => path.join(ground.data, 'vm.img')
  const run = (program: string, ...args: readonly string[]) =>
    execFileSync(program, args, { encoding: 'utf8' }).trim()
  const attach = (...options: readonly string[]) => run('losetup', '--find', '--show', ...options, image())

  /** Makes one, and takes it away in the end. */
  async function withDisk(attached: () => string, use: (disk: string) => Promise<void>) {
    writeFileSync(image(), '')
    truncateSync(image(), SIZE)
    const disk = attached()
    try {
      await use(disk)
    } finally {
      run('losetup', '--detach', disk)
      rmSync(image(), { force: true })
    }
  }

  const expectRefused = async (fault: string, why: RegExp) => {
    const { exitCode, stderr } = await drill(fault, ...place(), '--for', '300ms')
    expect([exitCode, stderr]).toEqual([3, expect.stringMatching(why)])
  }
  const expectPassed = async (fault: string) => {
    const { exitCode, stdout, stderr } = await drill(fault, ...place(), '--for', '300ms')
    expect(exitCode, stdout + stderr).toBe(0)
  }

  test('is not made immutable', async () => {
    await withDisk(attach, async (disk) => {
      await expectRefused('immutable', new RegExp(`data/vm.img is what ${disk} is made of`))
      // by what it is, not by its name
      mkdirSync(path.join(ground.mountPoint, 'elsewhere'))
      renameSync(image(), path.join(ground.data, 'wal/other.img'))
      await expectRefused('immutable', new RegExp(`data/wal/other.img is what ${disk} is made of`))
      renameSync(path.join(ground.data, 'wal/other.img'), path.join(ground.mountPoint, 'elsewhere/vm.img'))
      await expectPassed('immutable')
      rmSync(path.join(ground.mountPoint, 'elsewhere'), { recursive: true })
    })
  })

  test('keeps the room that it needs, and is named where it stands still', async () => {
    await withDisk(attach, async (disk) => {
      await expectRefused(
        'diskfull',
        new RegExp(`data/vm.img is what ${disk} is made of, and may not have all`),
      )
      const { stdout } = await drill('stall', ...place(), '--dry-run')
      expect(stdout.replace(/\s+/g, ' ')).toContain(`so does what is on ${disk}, which is ${image()}`)
      run('fallocate', '--length', String(SIZE), image())
      await expectPassed('diskfull')
      rmSync(image())
      await expectRefused('diskfull', new RegExp(`vm.img \\(deleted\\) is what ${disk} is made of`))
    })
  })

  test('is found though another mount namespace has another name for it', async () => {
    const elsewhere = path.join(ground.directory, 'elsewhere')
    mkdirSync(elsewhere)
    const script = 'mount --bind "$1" "$2" && umount -l "$1" && exec losetup --find --show "$2/data/vm.img"'
    const inAnother = () =>
      run(
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        script,
        'sh',
        ground.mountPoint,
        elsewhere,
      )
    await withDisk(inAnother, async (disk) => {
      const name = run('losetup', '--noheadings', '--output', 'BACK-FILE', disk)
      expect(name).not.toBe(image())
      await expectRefused('immutable', new RegExp(`data/vm.img is what ${disk} is made of`))
      await expectRefused('diskfull', new RegExp(`is what ${disk} is made of`))
    })
    rmSync(elsewhere, { recursive: true })
  })

  test('that is only read matters to nobody', async () => {
    const readOnly = () => attach('--read-only')
    await withDisk(readOnly, async () => {
      for (const fault of ['immutable', 'diskfull']) await expectPassed(fault)
    })
  })
})
