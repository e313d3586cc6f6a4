/** Faults of the disk under a file system: an image on glass, whose blocks the loop device reads and writes. */
import type { FaultKind, Parameters } from './fault.js'
import { clientOf, injectRule, operationsOf, TRIGGER } from './glass-rule.js'

const { path: _, ...BLOCKS } = TRIGGER
const UNDER = {
  volumes: ['ext4', 'xfs', 'btrfs'],
  disk: 'glass',
  needs: ['root', 'loop', 'fuse'],
  seesItself: true,
} as const
/** What asks a disk to have all that it was given on its platters: REQ_OP_FLUSH, an fsync of the image. */
const OPERATIONS = ['write', 'read', 'sync'] as const
/** Nothing is written any more, and nothing becomes safe. */
const DEAD = ['write', 'fsync', 'fdatasync', 'fallocate'] as const

export const diskError: FaultKind = {
  ...UNDER,
  kind: 'disk-error',
  title:
    'The disk under the file system fails: the file system makes of it what it does (EIO, read-only, shut down)',
  family: 'io',
  errnos: ['EIO'],
  refusals: ['io', 'read-only'],
  parameters: {
    operation: { type: 'choice', choices: OPERATIONS, default: 'write', about: 'What fails; sync: a flush' },
    ...BLOCKS,
  },
  // what a file system gave up after an error is back only once it was mounted again
  healsStopped: true,
  async inject(world, parameters) {
    const operation = String(parameters.operation)
    const active = await injectRule(world, {
      operations: operationsOf(operation),
      effect: { do: 'error', errno: 'EIO' },
      parameters,
      detail: `${operation} of the disk fails with EIO`,
      evidence: 'EIO',
      stopsReads: true,
    })
    return {
      ...active,
      // a new block of ext4 that could not be written never counts as written, whatever can be synced there later
      forgets: operation === 'write' && world.volume.kind === 'ext4' && !stays(parameters),
      heal: () => active.heal().finally(() => world.volume.remount()),
    }
  },
}

/** Whether all fail from the first on. */
function stays(parameters: Parameters): boolean {
  return Object.entries(BLOCKS).every(
    ([name, { default: usual }]) => name === 'first' || (parameters[name] ?? usual) === usual,
  )
}

export const diskStall: FaultKind = {
  ...UNDER,
  kind: 'disk-stall',
  // no hanging without end: what waits for a disk cannot be killed, so no trial would get on
  title: 'The disk under the file system takes long',
  family: 'errorless',
  errnos: ['slow'],
  refusals: [],
  parameters: {
    operation: { type: 'choice', choices: OPERATIONS, default: 'write', about: 'What waits; sync: a flush' },
    ms: { type: 'count', default: 100, about: 'Milliseconds that each takes longer' },
    ...BLOCKS,
  },
  inject(world, parameters) {
    const [operation, ms] = [String(parameters.operation), Number(parameters.ms)]
    return injectRule(world, {
      operations: operationsOf(operation),
      effect: { do: 'delay', ms },
      parameters,
      detail: `${operation} of the disk takes ${ms} ms longer`,
      evidence: 'slow',
    })
  },
}

export const diskLostWrite: FaultKind = {
  ...UNDER,
  kind: 'disk-lost-write',
  // a log of xfs and a tree of btrfs with a hole in it cannot be mounted any more
  volumes: ['ext4'],
  title:
    'A write of the disk under the file system says that all is well, and the block holds what it held before',
  family: 'io',
  errnos: ['rot'],
  refusals: ['io', 'corruption', 'read-only'],
  damages: true,
  parameters: BLOCKS,
  healsStopped: true,
  async inject(world, parameters) {
    const active = await injectRule(world, {
      operations: ['write'],
      effect: { do: 'stale' },
      parameters,
      detail: 'writes of the disk are lost',
      evidence: 'rot',
      stopsReads: true,
    })
    return { ...active, heal: () => active.heal().finally(() => world.volume.remount()) }
  },
}

export const diskPowerCut: FaultKind = {
  ...UNDER,
  kind: 'disk-power-cut',
  title:
    'The power is cut: what the disk was not asked to flush is gone, and the file system recovers from its journal',
  family: 'errorless',
  errnos: ['power-cut'],
  refusals: [],
  parameters: {},
  injectsStopped: true,
  async inject(world) {
    const client = clientOf(world)
    const { operations } = await client.state()
    // what the file system would still write as it is unmounted comes too late
    const dead = await client.add({ operations: DEAD, effect: { do: 'error', errno: 'EIO' } }, world.seed)
    await world.volume.remount(async () => {
      await client.cut()
      await client.remove(dead)
    })
    return {
      detail: 'the power was cut: the disk is as it was flushed last',
      // a target that did nothing had nothing to lose
      seen: async () => new Map([['power-cut', operations > 0 ? 1 : 0]]),
      probe: async () => undefined,
      heal: async () => 'the power is back',
    }
  },
}
