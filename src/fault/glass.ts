/** Faults that only glass can give: an operation that fails, waits, tears or lies, and a power cut. */
import { GATE_FORMS, type GateForm, ROTS, type Rot } from '../glass/rules.js'
import type { FaultKind } from './fault.js'
import { clientOf, injectRule, MET, operationParameter, operationsOf, TRIGGER } from './glass-rule.js'

const ON_GLASS = { volumes: ['glass'], needs: ['fuse'], seesItself: true } as const
/** Errors of a device, as programs meet them: errno(3). */
const DEVICE_ERRORS = ['EIO', 'EROFS', 'ENXIO', 'ETIMEDOUT', 'EUCLEAN', 'EBADMSG', 'ESTALE'] as const
/** fsync(2): of what was written before, for NFS and wherever room is not taken at the time of a write. */
const SYNC_ERRORS = ['EIO', 'ENOSPC', 'EDQUOT'] as const

export const ioError: FaultKind = {
  ...ON_GLASS,
  kind: 'io-error',
  title: 'An operation fails with an error of the device',
  family: 'io',
  errnos: DEVICE_ERRORS,
  refusals: ['io', 'read-only'],
  parameters: {
    operation: operationParameter(MET, 'write'),
    errno: { type: 'choice', choices: DEVICE_ERRORS, default: 'EIO', about: 'The error' },
    ...TRIGGER,
  },
  inject(world, parameters) {
    const [operation, errno] = [String(parameters.operation), String(parameters.errno)]
    return injectRule(world, {
      operations: operationsOf(operation),
      effect: { do: 'error', errno },
      parameters,
      detail: `${operation} fails with ${errno}`,
      evidence: errno,
      stopsReads: touchesReads(operation),
    })
  },
}

export const spaceError: FaultKind = {
  ...ON_GLASS,
  kind: 'space-error',
  title: 'An operation fails as on a full disk, though there is room: without a short write before it',
  family: 'full',
  errnos: ['ENOSPC', 'EDQUOT'],
  refusals: ['disk-full', 'quota'],
  parameters: {
    operation: operationParameter(['write', 'create', 'rename', 'fallocate', 'mkdir', 'sync'], 'write'),
    errno: { type: 'choice', choices: ['ENOSPC', 'EDQUOT'], default: 'ENOSPC', about: 'The error' },
    ...TRIGGER,
  },
  inject(world, parameters) {
    const [operation, errno] = [String(parameters.operation), String(parameters.errno)]
    return injectRule(world, {
      operations: operationsOf(operation),
      effect: { do: 'error', errno },
      parameters,
      detail: `${operation} fails with ${errno}`,
      evidence: errno,
    })
  },
}

export const interruption: FaultKind = {
  ...ON_GLASS,
  kind: 'interruption',
  title: 'Reads and writes are short or interrupted, as POSIX allows: nothing is wrong',
  family: 'errorless',
  errnos: ['EINTR', 'short'],
  refusals: [],
  parameters: {
    operation: operationParameter(['write', 'read'], 'write'),
    how: { type: 'choice', choices: ['short', 'EINTR'], default: 'short', about: 'Half the bytes, or EINTR' },
    ...TRIGGER,
  },
  inject(world, parameters) {
    const [operation, how] = [String(parameters.operation), String(parameters.how)]
    return injectRule(world, {
      operations: operationsOf(operation),
      effect: how === 'short' ? { do: 'short' } : { do: 'error', errno: 'EINTR' },
      parameters,
      detail: how === 'short' ? `every ${operation} is short` : `${operation} is interrupted`,
      evidence: how,
    })
  },
}

export const slow: FaultKind = {
  ...ON_GLASS,
  kind: 'slow',
  title: 'An operation takes long, or hangs until the fault is healed',
  family: 'errorless',
  errnos: ['slow'],
  refusals: [],
  parameters: {
    operation: operationParameter(MET, 'sync'),
    ms: { type: 'count', default: 100, about: 'Milliseconds that each takes longer; 0: it hangs' },
    ...TRIGGER,
  },
  inject(world, parameters) {
    const [operation, ms] = [String(parameters.operation), Number(parameters.ms)]
    return injectRule(world, {
      operations: operationsOf(operation),
      effect: ms === 0 ? { do: 'hang' } : { do: 'delay', ms },
      parameters,
      detail: ms === 0 ? `${operation} hangs` : `${operation} takes ${ms} ms longer`,
      evidence: 'slow',
    })
  },
}

export const tornWrite: FaultKind = {
  ...ON_GLASS,
  kind: 'torn-write',
  title: 'A write fails, and a part of it has arrived all the same',
  family: 'io',
  errnos: ['EIO'],
  refusals: ['io', 'read-only'],
  parameters: {
    keep: {
      type: 'choice',
      choices: ['prefix', 'sectors'],
      default: 'prefix',
      about: 'What arrives: the first bytes, or some of its sectors of 512 bytes',
    },
    ...TRIGGER,
  },
  inject(world, parameters) {
    const keep = parameters.keep === 'sectors' ? 'sectors' : 'prefix'
    return injectRule(world, {
      operations: ['write'],
      effect: { do: 'torn', keep, errno: 'EIO' },
      parameters,
      detail: `write fails with EIO, and ${keep === 'prefix' ? 'a prefix' : 'some sectors'} of it arrived`,
      evidence: 'EIO',
    })
  },
}

export const bitRot: FaultKind = {
  ...ON_GLASS,
  kind: 'bit-rot',
  title: 'Blocks go bad: what is read is not what was written',
  family: 'io',
  errnos: ['rot'],
  refusals: ['io', 'corruption', 'read-only'],
  damages: true,
  parameters: {
    at: {
      type: 'choice',
      choices: ['rest', 'read', 'write'],
      default: 'rest',
      about: 'Blocks that are bad as long as the fault is on, or what is being read, or written (for good)',
    },
    how: {
      type: 'choice',
      choices: ROTS,
      default: 'flip',
      about: 'One bit is another; all is zero; what was there before the last sync; what another block holds',
    },
    part: { type: 'count', default: 10, about: 'At rest: how many blocks of a hundred are bad' },
    ...TRIGGER,
  },
  inject(world, parameters) {
    const [at, how, part] = [String(parameters.at), parameters.how as Rot, Number(parameters.part)]
    return injectRule(world, {
      operations: [at === 'write' ? 'write' : 'read'],
      effect: at === 'rest' ? { do: 'rot', how, part: part / 100 } : { do: how },
      parameters,
      detail:
        at === 'rest'
          ? `${part}% of all blocks: ${how}`
          : `${how} of what is ${at === 'read' ? 'read' : 'written'}`,
      evidence: 'rot',
      stopsReads: true,
    })
  },
}

export const fsyncgate: FaultKind = {
  ...ON_GLASS,
  kind: 'fsyncgate',
  title:
    'A sync fails once, and what it had to write is given up: the next one succeeds, and the data is gone',
  family: 'io',
  errnos: SYNC_ERRORS,
  refusals: ['io', 'read-only', 'disk-full', 'quota'],
  parameters: {
    errno: {
      type: 'choice',
      choices: SYNC_ERRORS,
      default: 'EIO',
      about: 'The error; ENOSPC and EDQUOT: as where room is looked for only when the data goes to the disk',
    },
    form: {
      type: 'choice',
      choices: GATE_FORMS,
      default: 'ext4-ordered',
      about:
        'Which file system it is: reads see the new data until the page cache is lost, or (btrfs) the old; journal: the next sync fails',
    },
    evict: {
      type: 'boolean',
      default: true,
      about: 'Whether the page cache is lost when the fault is healed, as by a restart of the machine',
    },
    ...TRIGGER,
  },
  healsStopped: true,
  inject(world, parameters) {
    const form = parameters.form as GateForm
    const errno = String(parameters.errno)
    return injectRule(world, {
      operations: ['fsync', 'fdatasync'],
      effect: { do: 'gate', form, errno },
      parameters,
      detail: `sync fails with ${errno} as on ${form}`,
      evidence: errno,
      evicts: parameters.evict === true,
    })
  },
}

export const lostSync: FaultKind = {
  ...ON_GLASS,
  kind: 'lost-sync',
  title: 'A sync says that all is well, and nothing is on the disk: a disk that lies about its cache',
  family: 'errorless',
  errnos: ['lost-sync'],
  refusals: [],
  parameters: TRIGGER,
  inject(world, parameters) {
    return injectRule(world, {
      operations: ['fsync', 'fdatasync', 'fsync-directory'],
      effect: { do: 'lie' },
      parameters,
      detail: 'sync does nothing',
      evidence: 'lost-sync',
    })
  },
}

export const powerCut: FaultKind = {
  ...ON_GLASS,
  kind: 'power-cut',
  title: 'The power is cut: what was not synced is gone, names of a directory that was not synced too',
  family: 'errorless',
  errnos: ['power-cut'],
  refusals: [],
  parameters: {},
  injectsStopped: true,
  async inject(world) {
    const client = clientOf(world)
    const { operations } = await client.state()
    const { files, names } = await client.cut()
    return {
      detail: `the power was cut: ${files} files and ${names} names are as they were synced last`,
      // a target that did nothing had nothing to lose
      seen: async () => new Map([['power-cut', operations > 0 ? 1 : 0]]),
      probe: async () => undefined,
      heal: async () => 'the power is back',
    }
  },
}

/** Whether an operation that fails may be one that a read needs. */
function touchesReads(operation: string): boolean {
  return ['all', 'read', 'open', 'stat', 'list'].includes(operation)
}
