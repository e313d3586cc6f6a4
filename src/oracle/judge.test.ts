import { describe, expect, it } from 'vitest'
import { InternalError } from '../errors.js'
import type { Event, FaultFamily, Operation } from '../history/events.js'
import { type Contract, PROMISES, type PromiseId, STRICTEST } from '../target/contract.js'
import type { ErrorKind, OpenMode } from '../target/protocol.js'
import { FAULTS, targetError, type Untimed } from '../testing/perfect-store.js'
import { judge } from './judge.js'
import type { ViolationKind } from './violation.js'

type Part = Untimed<Event>

let ids = 0
const invoke = (op: Operation, client = 0): [Part, number] => [{ type: 'invoke', id: ++ids, client, op }, ids]

function ok(op: Operation, client?: number): Part[] {
  const [began, id] = invoke(op, client)
  return [began, { type: 'ok', id, ...(op.f === 'get' ? { value: { seq: 1 } } : {}) }]
}

function failed(op: Operation, kind: ErrorKind, type: 'fail' | 'info' = 'fail', client = 0): Part[] {
  const [began, id] = invoke(op, client)
  return [began, { type, id, error: targetError(kind) }]
}

const PUT: Operation = { f: 'put', key: 'k', seq: 1, size: 99 }
const LATER_PUT: Operation = { f: 'put', key: 'other', seq: 2, size: 99 }
const DELETE: Operation = { f: 'delete', key: 'other', seq: 3 }
const GET: Operation = { f: 'get', key: 'k' }
const COMPACT: Operation = { f: 'compact' }

const started = (mode: OpenMode = 'read-write'): Part[] => [
  { type: 'process', action: 'start', detail: 'example 1.0' },
  { type: 'open', ok: true, mode },
]
const openFailed = (kind: ErrorKind): Part => ({ type: 'open', ok: false, error: targetError(kind) })
const killed: Part = { type: 'process', action: 'kill', detail: 'SIGKILL' }
const ended = (action: 'crash' | 'hang' | 'garbage'): Part => ({
  type: 'process',
  action,
  detail: 'in detail',
})
const resumed = (how: 'in-place' | 'reopen' | 'restart' | 'never'): Part => ({
  type: 'resume',
  how,
  detail: 'in 20 ms',
})

function fault(
  action: 'inject' | 'heal',
  family: FaultFamily,
  more: Partial<Extract<Event, { type: 'fault' }>> = {},
): Part {
  const { name, refusals, errno } = FAULTS[family]
  return {
    type: 'fault',
    action,
    fault: name,
    family,
    refusals,
    errnos: [errno],
    detail: 'in detail',
    ...more,
  }
}
const evidence = (errno: string): Part => ({
  type: 'evidence',
  grade: 'probe',
  errno,
  count: 1,
  detail: 'a probe',
})
const inject = (family: FaultFamily, more?: Partial<Extract<Event, { type: 'fault' }>>): Part[] => [
  fault('inject', family, more),
  evidence(FAULTS[family].errno),
]
const readBack: Part[] = [{ type: 'verify', action: 'begin' }, ...ok(GET), { type: 'verify', action: 'end' }]

/** A trial in good health around these parts. */
function trial(...parts: readonly (Part | readonly Part[])[]): Event[] {
  const all = [...started(), ...ok(PUT), ...parts.flat(), killed, ...started(), ...readBack]
  return all.map((part, time) => ({ ...part, time }) as Event)
}

const judged = (events: readonly Event[], contract: Contract = STRICTEST) =>
  judge(events, { seed: 's', contract })
const waiving = (...promises: PromiseId[]): Contract => ({
  waived: Object.fromEntries(promises.map((promise) => [promise, 'documented'])),
})
const EVERYTHING = waiving(...(Object.keys(PROMISES) as PromiseId[]))

/** An operation that begins while the disk is full and is answered only when all is well again. */
const lateAnswer = (kind: ErrorKind): (Part | readonly Part[])[] => {
  const [began, id] = invoke(LATER_PUT)
  const answer: Part = { type: 'fail', id, error: targetError(kind) }
  return [inject('full'), began, fault('heal', 'full'), resumed('in-place'), answer]
}

const FINE: readonly (readonly [string, readonly (Part | readonly Part[])[]])[] = [
  ['nothing at all', []],
  ['a write refused as full on a full disk', [inject('full'), failed(LATER_PUT, 'disk-full')]],
  ['a delete of the workload refused on a full disk', [inject('full'), failed(DELETE, 'disk-full')]],
  ['a write refused for lack of permission', [inject('read-only'), failed(LATER_PUT, 'permission')]],
  ['a compaction refused for lack of permission', [inject('read-only'), failed(COMPACT, 'read-only')]],
  [
    'a compaction refused where a file may not grow',
    [
      fault('inject', 'full', { errnos: ['EFBIG'] }),
      evidence('EFBIG'),
      failed(COMPACT, 'disk-full', 'fail', -1),
    ],
  ],
  ['an unknown outcome while the device fails', [inject('io'), failed(LATER_PUT, 'io', 'info')]],
  ['a refusal for either of two faults', [inject('io'), inject('full'), failed(LATER_PUT, 'disk-full')]],
  [
    'a write refused between heal and resume',
    [inject('full'), fault('heal', 'full'), failed(LATER_PUT, 'internal', 'info'), resumed('in-place')],
  ],
  [
    'a reopen that failed after a fault of the device',
    [inject('io'), fault('heal', 'io'), openFailed('io'), killed, started(), resumed('restart')],
  ],
  ['a reopen after a fault of the device', [inject('io'), fault('heal', 'io'), resumed('reopen')]],
  [
    'a restart after permission is back',
    [inject('read-only'), fault('heal', 'read-only'), resumed('restart')],
  ],
  [
    'a reopen with room again, where it could not open before',
    [killed, inject('full'), fault('heal', 'full'), resumed('reopen'), started()],
  ],
  [
    'a read that failed with no permission to read',
    [inject('read-only', { stopsReads: true }), failed(GET, 'permission')],
  ],
  [
    'an open that failed with no permission to read',
    [inject('read-only', { stopsReads: true }), openFailed('permission')],
  ],
  ['an open that failed while the device fails', [killed, inject('io'), openFailed('io')]],
  [
    'a write refused by what was opened read-only, after the heal too',
    [
      ...[
        killed,
        inject('read-only'),
        started('read-only'),
        failed(LATER_PUT, 'read-only'),
        fault('heal', 'read-only'),
      ],
      ...[failed(LATER_PUT, 'read-only'), resumed('reopen')],
    ],
  ],
  ['a refusal of an operation that began under a fault and ended after it', lateAnswer('disk-full')],
]

/** Parts, what they violate, and the promise that makes it a violation; undefined where no waiver helps. */
const WRONG: readonly (readonly [
  string,
  ViolationKind,
  PromiseId | undefined,
  readonly (Part | readonly Part[])[],
])[] = [
  ['a crash', 'crashed', undefined, [ended('crash'), started()]],
  ['a hang', 'hung', undefined, [ended('hang'), started()]],
  ['garbage', 'wrong-error', undefined, [ended('garbage'), started()]],
  ['a write refused in good health', 'wrong-error', undefined, [failed(LATER_PUT, 'busy')]],
  ['a write failed in good health', 'wrong-error', undefined, [failed(LATER_PUT, 'io', 'info')]],
  ['a compaction failed in good health', 'wrong-error', undefined, [failed(COMPACT, 'io', 'info')]],
  ['a read failed in good health', 'unreadable', undefined, [failed(GET, 'io')]],
  [
    'a reopen that its own lock kept out',
    'open-failed',
    undefined,
    [inject('io'), fault('heal', 'io'), openFailed('busy'), killed, started(), resumed('restart')],
  ],
  ['an open failed in good health', 'open-failed', undefined, [killed, openFailed('busy'), started()]],
  [
    'opened read-only in good health',
    'open-failed',
    undefined,
    [killed, started('read-only'), failed(LATER_PUT, 'read-only')],
  ],
  [
    'a write refused after writes were back',
    'wrong-error',
    undefined,
    [inject('full'), fault('heal', 'full'), resumed('in-place'), failed(LATER_PUT, 'disk-full')],
  ],
  ['a late refusal for another reason', 'wrong-error', 'refuses-when-full', lateAnswer('busy')],
  [
    'a full disk called corruption',
    'wrong-error',
    'refuses-when-full',
    [inject('full'), failed(LATER_PUT, 'corruption', 'info')],
  ],
  [
    'a quota called an I/O error',
    'wrong-error',
    'refuses-over-limit',
    [inject('full', { errnos: ['EDQUOT'] }), evidence('EDQUOT'), failed(LATER_PUT, 'io', 'info')],
  ],
  [
    'a full disk called lack of permission',
    'wrong-error',
    'refuses-when-full',
    [inject('full'), failed(LATER_PUT, 'permission')],
  ],
  [
    'no permission called a full disk',
    'wrong-error',
    'refuses-when-read-only',
    [inject('read-only'), failed(LATER_PUT, 'disk-full')],
  ],
  [
    'a failing device called corruption',
    'wrong-error',
    'tells-errors-from-damage',
    [inject('io'), failed(LATER_PUT, 'corruption', 'info')],
  ],
  [
    'a failing device called a full disk',
    'wrong-error',
    undefined,
    [inject('io'), failed(LATER_PUT, 'disk-full', 'info')],
  ],
  [
    'a get failed on a full disk',
    'unreadable',
    'reads-when-full',
    [inject('full'), failed(GET, 'disk-full')],
  ],
  [
    'a scan failed on a full disk',
    'unreadable',
    'reads-when-full',
    [inject('full'), failed({ f: 'scan', after: null, limit: 3 }, 'io', 'info')],
  ],
  [
    'a get failed without permission to write',
    'unreadable',
    'reads-when-read-only',
    [inject('read-only'), failed(GET, 'permission')],
  ],
  [
    'a get failed on a failing device',
    'unreadable',
    'reads-after-io-error',
    [inject('io'), failed(GET, 'io')],
  ],
  [
    'a get failed between heal and resume',
    'unreadable',
    'reads-when-full',
    [inject('full'), fault('heal', 'full'), failed(GET, 'io'), resumed('in-place')],
  ],
  [
    'a delete to make room was refused',
    'wrong-error',
    'deletes-when-full',
    [inject('full'), failed(DELETE, 'disk-full', 'fail', -1)],
  ],
  [
    'a compaction was refused on a full disk',
    'wrong-error',
    'compacts-when-full',
    [inject('full'), failed(COMPACT, 'disk-full', 'fail', -1)],
  ],
  [
    'an open failed on a full disk',
    'open-failed',
    'opens-when-full',
    [killed, inject('full'), openFailed('disk-full')],
  ],
  [
    'an open of read-only files failed',
    'open-failed',
    'opens-read-only-files',
    [killed, inject('read-only', { blocks: 'files' }), openFailed('permission')],
  ],
  [
    'an open in a read-only directory failed',
    'open-failed',
    'opens-in-read-only-directory',
    [killed, inject('read-only', { blocks: 'directory' }), openFailed('permission')],
  ],
  [
    'a reopen with room again',
    'no-recovery',
    'resumes-in-place',
    [inject('full'), fault('heal', 'full'), resumed('reopen')],
  ],
  [
    'a restart with room again',
    'no-recovery',
    'resumes-in-place',
    [inject('full'), fault('heal', 'full'), resumed('restart')],
  ],
  [
    'writes that never came back',
    'no-recovery',
    'recovers-after-heal',
    [inject('io'), fault('heal', 'io'), resumed('never'), killed, started(), failed(LATER_PUT, 'io', 'info')],
  ],
]

describe('the behaviour of a target', () => {
  it.each(FINE)('is fine with %s', (_, parts) => {
    expect(judged(trial(...parts))).toMatchObject({ verdict: 'passed', violations: [], waived: [] })
  })

  it.each(WRONG)('is wrong with %s: %s', (_, kind, promise, parts) => {
    const events = trial(...parts)
    const { verdict, reason, violations, waived } = judged(events)
    expect(violations.map((violation) => violation.kind)).toEqual([kind])
    expect({ verdict, waived }).toEqual({ verdict: 'failed', waived: [] })
    expect(reason).toBe(violations[0]!.summary)

    if (promise === undefined) {
      expect(judged(events, EVERYTHING).verdict).toBe('failed')
    } else {
      const lenient = judged(events, waiving(promise))
      expect(lenient.verdict).toBe('passed')
      expect(lenient.waived).toEqual([{ promise, summary: violations[0]!.summary }])
      const others = (Object.keys(PROMISES) as PromiseId[]).filter((each) => each !== promise)
      expect(judged(events, waiving(...others)).verdict).toBe('failed')
    }
  })

  it('takes either promise as waived where a fault blocks both files and directory', () => {
    const events = trial(killed, inject('read-only'), openFailed('permission'))
    expect(judged(events).violations).toHaveLength(1)
    expect(judged(events, waiving('opens-read-only-files')).violations).toEqual([])
    expect(judged(events, waiving('opens-in-read-only-directory')).violations).toEqual([])
  })
})

describe('the data of a target', () => {
  const lost = (value: Extract<Part, { type: 'ok' }>['value'], ...between: readonly Part[]) => {
    const [began, id] = invoke(GET)
    const events = [...started(), ...ok(PUT), ...between, began, { type: 'ok', id, value } as Part]
    return judged(
      events.map((part, time) => ({ ...part, time }) as Event),
      waiving('durable-acks', 'atomic-batches'),
    )
  }

  it('may be lost over a restart by a target that does not promise otherwise, and not without one', () => {
    expect(lost(null, killed, ...started())).toMatchObject({
      violations: [],
      waived: [
        {
          promise: 'durable-acks',
          summary: 'key k: put #1 was acked, and after the first restart nothing is there',
        },
      ],
    })
    expect(lost(null).violations).toMatchObject([
      {
        kind: 'lost-write',
        severity: 'data-loss',
        summary: 'key k: put #1 was acked, and before any fault nothing is there',
        at: 5,
      },
    ])
    expect(lost({ corrupt: 'bytes of nobody' }, killed, ...started()).violations[0]).toMatchObject({
      kind: 'corrupt-read',
    })
  })

  it('may be gone after a failure that the kernel took for written, where the target does not promise otherwise', () => {
    const found = (
      contract: Contract,
      forgets: { forgets?: true },
      value: Extract<Part, { type: 'ok' }>['value'] = null,
    ) => {
      const [began, id] = invoke(GET)
      const over = [fault('heal', 'io'), killed, ...started(), resumed('in-place'), began]
      const parts = [...inject('io', forgets), ...over, { type: 'ok', id, value } as Part]
      return judged(trial(parts), contract).violations.map(({ kind }) => kind)
    }
    const lenient = waiving('distrusts-failed-sync')
    expect(found(STRICTEST, { forgets: true })).toContain('lost-write')
    expect(found(lenient, { forgets: true })).toEqual([])
    expect(found(lenient, { forgets: true }, { corrupt: 'bytes of nobody' })).toContain('corrupt-read')
    expect(found(lenient, {})).toContain('lost-write')
  })

  it('may be what a failed write left, where the target does not promise otherwise', () => {
    const AGAIN: Operation = { f: 'put', key: 'k', seq: 2, size: 99 }
    const found = (contract: Contract, how: Part[]) => {
      const [began, id] = invoke(GET)
      const over = [...ok({ f: 'delete', key: 'k', seq: 9 }), killed, ...started(), began]
      const parts = [...inject('io'), ...how, fault('heal', 'io'), resumed('in-place'), ...over]
      const events = [...started(), ...ok(PUT), ...parts, { type: 'ok', id, value: { seq: 2 } } as Part]
      const history = events.map((part, time) => ({ ...part, time }) as Event)
      return judged(history, contract).violations.map(({ kind }) => kind)
    }
    const lenient = waiving('distrusts-failed-sync')
    expect(found(STRICTEST, failed(AGAIN, 'io', 'info'))).toContain('resurrected-delete')
    expect(found(lenient, failed(AGAIN, 'io', 'info'))).toEqual([])
    // one that was acked is another matter
    expect(found(lenient, ok(AGAIN))).toContain('resurrected-delete')
  })

  it('may be wrong without a word after a disk changed it, where the target does not promise otherwise', () => {
    const rot: Part[] = inject('io', { damages: true })
    const found = (
      value: Extract<Part, { type: 'ok' }>['value'],
      contract: Contract,
      damage: readonly Part[],
    ) => {
      const [began, id] = invoke(GET)
      const over = [fault('heal', 'io'), killed, ...started(), resumed('in-place'), began]
      const parts = [...damage, ...over, { type: 'ok', id, value } as Part]
      return judged(trial(parts), contract).violations.map(({ kind }) => kind)
    }
    const lenient = waiving('tells-damage')
    for (const [value, kind] of [
      [null, 'lost-write'],
      [{ corrupt: 'bytes of nobody' }, 'corrupt-read'],
    ] as const) {
      expect(found(value, STRICTEST, rot)).toContain(kind)
      expect(found(value, lenient, rot)).toEqual([])
      // a fault that tells of itself is no excuse
      expect(found(value, lenient, inject('io'))).toContain(kind)
    }
  })

  it('may be called corrupt for good after a disk changed it, where the target does not promise to tell in time', () => {
    const rot: Part[] = [...inject('io', { damages: true }), fault('heal', 'io'), killed]
    const lenient = waiving('tells-damage')
    const ways = (kind: ErrorKind): [Part[], ViolationKind][] => [
      [[...started(), resumed('in-place'), ...failed(GET, kind)], 'unreadable'],
      [[...started(), resumed('in-place'), ...failed(PUT, kind)], 'wrong-error'],
      [[...started(), resumed('in-place'), killed, openFailed(kind)], 'open-failed'],
    ]
    const found = (parts: Part[], contract: Contract) =>
      judged(trial(parts), contract).violations.map(({ kind }) => kind)
    // or what it hides is missed, which is an error of the target's own: no such table
    for (const [parts, violation] of [...ways('corruption'), ...ways('internal')]) {
      expect(found([...rot, ...parts], STRICTEST)).toContain(violation)
      expect(found([...rot, ...parts], lenient)).toEqual([])
    }
    const on = [...inject('io', { damages: true }), killed, ...started(), ...failed(PUT, 'internal')]
    expect(found(on, STRICTEST)).toContain('wrong-error')
    expect(found(on, lenient)).toEqual([])
    for (const [parts, violation] of ways('io')) {
      expect(found([...rot, ...parts], lenient), 'nothing of damage is said').toContain(violation)
    }
  })

  it('may come in parts of a batch where the target does not promise otherwise', () => {
    const batch: Operation = {
      f: 'batch',
      writes: [
        { f: 'put', key: 'a', seq: 11, size: 99 },
        { f: 'put', key: 'b', seq: 12, size: 99 },
      ],
    }
    const [scan, id] = invoke({ f: 'scan', after: null, limit: 10 })
    const seen: Part[] = [
      scan,
      {
        type: 'ok',
        id,
        entries: [
          ['a', { seq: 11 }],
          ['k', { seq: 1 }],
        ],
      },
    ]
    const refused = trial(inject('full'), failed(batch, 'disk-full'), seen)
    expect(judged(refused).violations).toMatchObject([{ kind: 'torn-batch' }])
    expect(judged(refused).violations[0]!.summary).toBe(
      'batch #11 to #12 was refused, and while ballast is on put #11 of key a is there and put #12 of key b is not',
    )
    expect(judged(refused, waiving('atomic-batches'))).toMatchObject({
      violations: [],
      waived: [{ promise: 'atomic-batches' }],
    })

    const acked = trial(ok(batch), seen)
    expect(judged(acked).violations).toMatchObject([{ kind: 'torn-batch' }])
    expect(judged(acked, waiving('atomic-batches')).violations).toMatchObject([{ kind: 'lost-write' }])
  })

  it('may show a write without an answer after a later one that was acked, while the process lives', () => {
    const late: Operation = { f: 'put', key: 'k', seq: 5, size: 99 }
    const [began, id] = invoke(late)
    const timeout: Part = { type: 'info', id, error: { kind: 'timeout', message: 'no answer' } }
    const acked = ok({ f: 'put', key: 'k', seq: 6, size: 99 })
    expect(lost({ seq: 5 }, began, timeout, ...acked).violations).toEqual([])
    expect(lost({ seq: 5 }, began, timeout, killed, ...started(), ...acked).violations).toMatchObject([
      { kind: 'lost-write' },
    ])
  })

  it('is judged anew after each restart: a batch lost as a whole and then back in part is two violations', () => {
    const writes = ['a', 'b'].map((key, i) => ({ f: 'put' as const, key, seq: 11 + i, size: 99 }))
    const scanned = (...keys: readonly string[]): Part[] => {
      const [scan, id] = invoke({ f: 'scan', after: null, limit: 10 })
      const entries = keys.map((key) => [key, { seq: key === 'a' ? 11 : 1 }] as const)
      return [scan, { type: 'ok', id, entries }]
    }
    const restart = [killed, ...started()]
    const events = trial(ok({ f: 'batch', writes }), restart, scanned('k'), restart, scanned('a', 'k'))
    expect(judged(events).violations.map((violation) => violation.kind)).toEqual([
      ...['lost-write', 'lost-write', 'torn-batch'],
    ])
  })

  it('is believed where a key has had more unknown writes than can be remembered', () => {
    const puts = Array.from(
      { length: 700 },
      (_, i): Operation => ({ f: 'put', key: 'k', seq: i + 10, size: 99 }),
    )
    const [get, id] = invoke(GET)
    const seen: Part[] = [get, { type: 'ok', id, value: { seq: 10 } }]
    const parts = [inject('io'), ...puts.map((put) => failed(put, 'io', 'info')), seen]
    const events = [...started(), ...ok(PUT), ...parts.flat()].map(
      (part, time) => ({ ...part, time }) as Event,
    )
    expect(judged(events).violations).toEqual([])
  })
})

describe('a verdict', () => {
  const without = (events: readonly Event[], type: Event['type']) =>
    events.filter((event) => event.type !== type)

  it('is inconclusive without evidence for every fault', () => {
    const events = trial(inject('full'), inject('io'))
    expect(judged(events).verdict).toBe('passed')
    expect(judged(events).evidence).toEqual({ ENOSPC: { direct: 0, probe: 1 }, EIO: { direct: 0, probe: 1 } })
    expect(judged(without(events, 'evidence'))).toMatchObject({
      verdict: 'inconclusive',
      reason: 'nothing shows that ballast and thin reached the target',
    })
    expect(judged(trial(fault('inject', 'full'), evidence('EIO'))).reason).toContain('ballast')
    expect(judged(trial(evidence('ENOSPC'), fault('inject', 'full'))).reason).toContain('ballast')
  })

  it('is inconclusive where no write was acked, or nothing was read back at the end', () => {
    const events = trial()
    expect(judged(without(events, 'verify')).reason).toBe('nothing was read back after the last start')
    expect(judged(events.slice(0, -1)).reason).toBe('the last read-back did not come to its end')
    const empty = [...started(), ...readBack.filter((part) => part.type === 'verify')]
    expect(judged(empty.map((part, time) => ({ ...part, time }) as Event)).reason).toBe(
      'no write was acked, so none could be lost',
    )
  })

  it('counts operations', () => {
    const parts = [
      ok(DELETE),
      failed(LATER_PUT, 'disk-full'),
      failed(LATER_PUT, 'io', 'info'),
      failed(GET, 'io'),
    ]
    expect(judged(trial(inject('full'), ...parts)).operations).toEqual({
      acked: 2,
      refused: 1,
      unknown: 1,
      reads: 1,
    })
  })

  it('is refused to a history that answers what never began', () => {
    expect(() => judged([{ type: 'ok', time: 0, id: 7 }])).toThrow(InternalError)
  })
})
