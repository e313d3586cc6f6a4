import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { checkPlace, checkProduction, reasonToEnd } from './guard.js'
import { mounts } from './host/mounts.js'
import type { Place } from './plan.js'

const place: Place = {
  path: '/srv/db/data',
  id: { dev: '1', ino: '2', born: '3' },
  device: '259:77',
  mountPoint: '/srv/db',
  type: 'ext4',
  source: '/dev/x',
}
const rules = { fault: 'permissions', state: '/var/lib/lightning-chaos', allowRootFilesystem: false } as const
const rootDevice = mounts()
  .filter(({ point }) => point === '/')
  .at(-1)!.device

beforeEach(() => vi.unstubAllEnvs())
afterEach(() => vi.unstubAllEnvs())

test('a directory on a file system of its own is fine', () => {
  expect(() => checkPlace(place, rules)).not.toThrow()
})

test.each(['/', '/etc', '/usr/lib/postgresql', '/boot/efi', '/proc/1'])(
  '%s is refused whatever is allowed',
  (path) => {
    const allowed = { ...rules, allowRootFilesystem: true }
    expect(() => checkPlace({ ...place, path }, allowed)).toThrow(/part of the system/)
  },
)

test('so it is for a full disk, unless that is allowed', () => {
  const full = { ...rules, fault: 'diskfull' } as const
  expect(() => checkPlace({ ...place, path: '/usr/lib' }, full)).toThrow(/part of the system/)
  expect(() =>
    checkPlace({ ...place, path: '/usr/lib' }, { ...full, allowRootFilesystem: true }),
  ).not.toThrow()
})

test.each(['overlay', 'fuse.fuse-overlayfs'])('%s gives a file that is changed another identity', (type) => {
  expect(() => checkPlace({ ...place, type }, { ...rules, allowRootFilesystem: true })).toThrow(
    /on an overlay/,
  )
})

test('names that only begin like one of the system are fine', () => {
  expect(() => checkPlace({ ...place, path: '/etcetera' }, rules)).not.toThrow()
})

test.each([
  ['the root file system', { mountPoint: '/', device: rootDevice }],
  ['the root file system under another name', { mountPoint: '/srv/db', device: rootDevice }],
  ['the file system of the journal', { device: rootDevice }],
])('%s has to be allowed', (_, draft) => {
  for (const fault of ['diskfull', 'permissions'] as const) {
    expect(() => checkPlace({ ...place, ...draft }, { ...rules, fault })).toThrow(/file system/)
    expect(() =>
      checkPlace({ ...place, ...draft }, { ...rules, fault, allowRootFilesystem: true }),
    ).not.toThrow()
  }
})

test('a file system that the host needs is never frozen', () => {
  const allowed = { ...rules, fault: 'stall', allowRootFilesystem: true } as const
  expect(() => checkPlace({ ...place, device: rootDevice }, allowed)).toThrow(/may not stand still/)
  expect(() => checkPlace(place, allowed)).not.toThrow()
})

test('the directory of the journal itself is refused', () => {
  const around = { ...place, path: '/var/lib' }
  expect(() => checkPlace(around, { ...rules, allowRootFilesystem: true })).toThrow(/holds the undo journal/)
})

test('file systems that the kernel makes up are refused', () => {
  expect(() => checkPlace({ ...place, type: 'cgroup2' }, { ...rules, allowRootFilesystem: true })).toThrow(
    /cgroup2/,
  )
})

test('a mark of production is heeded: a file or a variable', () => {
  expect(() => checkProduction(['/nonexistent', '$NOT_SET'])).not.toThrow()
  expect(() => checkProduction([import.meta.filename])).toThrow(/in production/)
  // what cannot be looked at
  expect(() => checkProduction([`/${'x'.repeat(300)}`])).toThrow(/in production/)
  vi.stubEnv('TIER', '')
  expect(() => checkProduction(['$TIER'])).not.toThrow()
  vi.stubEnv('TIER', 'production')
  expect(() => checkProduction(['$TIER'])).toThrow(/\$TIER/)
  vi.stubEnv('LIGHTNING_CHAOS_PRODUCTION', '1')
  expect(() => checkProduction([])).toThrow(/LIGHTNING_CHAOS_PRODUCTION/)
})

test('a drill ends when its limits say so', async () => {
  const where = { place, state: '/' }
  const probe = (answer: string | undefined) => ({ name: 'p', ask: async () => answer })
  expect(await reasonToEnd({}, where, 1)).toBeUndefined()
  expect(await reasonToEnd({ abortIf: probe('not yet') }, where, 1)).toBeUndefined()
  expect(await reasonToEnd({ abortIf: probe(undefined) }, where, 1)).toBe("'p' succeeded")
  expect(await reasonToEnd({ maxLoad: 1e6, minFreeElsewhere: 1 }, where, 1)).toBeUndefined()
  expect(await reasonToEnd({ maxLoad: -1 }, where, 1)).toMatch(/the load is/)
  expect(await reasonToEnd({ minFreeElsewhere: 2 ** 60 }, where, 1)).toMatch(/free on \//)
  // the faulted file system itself does not count
  const faulted = { ...where, place: { ...place, device: rootDevice } }
  expect(await reasonToEnd({ minFreeElsewhere: 2 ** 60 }, faulted, 1)).toBeUndefined()
})
