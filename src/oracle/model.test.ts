/** A store that keeps every promise is never accused; with one loss planted into it, always, and of the right thing. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Event, Observed, Operation, PutOp } from '../history/events.js'
import { STRICTEST } from '../target/contract.js'
import { live, PerfectStore, SEED, sightOf, type Untimed } from '../testing/perfect-store.js'
import { encodeValue, identify } from '../workload/value.js'
import { judge } from './judge.js'
import type { ViolationKind } from './violation.js'

function kindsIn(events: readonly Event[]): ViolationKind[] {
  const { violations } = judge(events, { seed: SEED, contract: STRICTEST })
  return [...new Set(violations.map((violation) => violation.kind))]
}

describe('a perfect store', () => {
  it('is never accused, whatever happens to it', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 10 }), (schedule, rounds) => {
        const store = new PerfectStore(schedule)
        live(store, rounds)
        store.close()
        expect(judge(store.events, { seed: SEED, contract: STRICTEST }).violations).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  it.each([
    ['crash', 'crashed'],
    ['hang', 'hung'],
  ] as const)('that can %s is accused of that and of nothing else', (end, kind) => {
    fc.assert(
      fc.property(fc.nat(), (schedule) => {
        const store = new PerfectStore(schedule)
        for (let i = 0; i < 4; i++) {
          live(store, 2)
          store.kill(end)
          store.start()
        }
        store.close()
        expect(kindsIn(store.events)).toEqual([kind])
      }),
      { numRuns: 20 },
    )
  })
})

/** A store after a random life, in good health, and the operations with which a loss can be planted. */
class Plot {
  readonly store: PerfectStore
  readonly keys: readonly [string, string, string]

  constructor(schedule: number) {
    this.store = new PerfectStore(schedule)
    live(this.store, 3)
    this.store.heal()
    this.store.verify()
    const { keys } = this.store.workload
    this.keys = this.store.random.sample(3, keys.length).map((i) => keys[i]!) as [string, string, string]
  }

  newPut(key = this.keys[0], size = this.store.random.integer(4, 120)): PutOp {
    return this.store.workload.put(this.store.takeIndex(), key, size)
  }

  newBatch(): Extract<Operation, { f: 'batch' }> & { readonly writes: readonly PutOp[] } {
    return { f: 'batch', writes: this.keys.map((key) => this.newPut(key)) }
  }

  newDelete() {
    return this.store.workload.delete(this.store.takeIndex(), this.keys[0])
  }

  acked<T extends Operation>(op: T): T {
    expect(this.store.perform(op).type).toBe('ok')
    return op
  }

  restart(): void {
    if (this.store.random.chance(0.5)) this.store.kill()
    else this.store.stop()
    this.store.start()
  }

  /** Puts the data of these writes there, whatever the truth is. */
  plant(...writes: readonly PutOp[]): void {
    for (const write of writes) this.store.data.set(write.key, write)
  }

  /** The answer to a read is changed from now on. */
  lieInScans(
    change: (entries: (readonly [string, Observed])[], limit: number) => (readonly [string, Observed])[],
  ): void {
    this.store.lie = (op, answer) =>
      answer.type === 'ok' && op.f === 'scan'
        ? { ...answer, entries: change([...answer.entries!], op.limit) }
        : answer
  }
}

const LOSSES: readonly (readonly [name: string, kind: ViolationKind, plant: (plot: Plot) => void])[] = [
  [
    'an acked put is gone after a restart',
    'lost-write',
    (plot) => {
      plot.acked(plot.newPut())
      plot.restart()
      plot.store.data.delete(plot.keys[0])
    },
  ],
  [
    'an acked put is gone with no restart',
    'lost-write',
    (plot) => {
      plot.acked(plot.newPut())
      plot.store.data.delete(plot.keys[0])
    },
  ],
  [
    'an older value is back',
    'lost-write',
    (plot) => {
      const older = plot.acked(plot.newPut())
      plot.acked(plot.newPut())
      plot.restart()
      plot.plant(older)
    },
  ],
  [
    'a value older than all that is remembered is back',
    'lost-write',
    (plot) => {
      const older = plot.acked(plot.newPut(plot.keys[0], 90))
      for (let i = 0; i < 100; i++) plot.acked(plot.newPut())
      plot.restart()
      plot.plant(older)
    },
  ],
  [
    'a deleted key is back',
    'resurrected-delete',
    (plot) => {
      const older = plot.acked(plot.newPut())
      plot.acked(plot.newDelete())
      plot.restart()
      plot.plant(older)
    },
  ],
  [
    'a deleted key is back, with a value that a refused put has too',
    'resurrected-delete',
    (plot) => {
      const older = plot.acked(plot.newPut(plot.keys[0], 0))
      plot.acked(plot.newDelete())
      plot.store.refuse(plot.newPut(plot.keys[0], 0))
      plot.restart()
      plot.plant(older)
    },
  ],
  [
    'a refused put is there',
    'phantom-write',
    (plot) => {
      plot.acked(plot.newPut())
      const refused = plot.store.refuse(plot.newPut())
      plot.restart()
      plot.plant(refused)
    },
  ],
  [
    'a refused delete took effect',
    'phantom-write',
    (plot) => {
      plot.acked(plot.newPut())
      plot.store.refuse(plot.newDelete())
      plot.store.data.delete(plot.keys[0])
    },
  ],
  [
    'a write that a read had shown not to have happened is there later',
    'phantom-write',
    (plot) => {
      const before = plot.acked(plot.newPut())
      const put = plot.newPut()
      plot.store.begin(put)
      plot.store.kill()
      plot.store.start()
      plot.plant(before)
      plot.store.verify()
      plot.restart()
      plot.plant(put)
    },
  ],
  [
    'a write that was never acked was seen after a restart, and is gone after the second',
    'lost-write',
    (plot) => {
      const put = plot.newPut()
      plot.store.begin(put)
      plot.store.kill()
      plot.store.start()
      plot.plant(put)
      plot.store.verify()
      plot.restart()
      plot.store.data.delete(plot.keys[0])
    },
  ],
  [
    'it is lost at the second restart only',
    'lost-write',
    (plot) => {
      plot.acked(plot.newPut())
      plot.restart()
      plot.store.verify()
      plot.restart()
      plot.store.data.delete(plot.keys[0])
    },
  ],
  [
    'an acked batch is there in part',
    'torn-batch',
    (plot) => {
      const older = plot.acked(plot.newBatch())
      plot.acked(plot.newBatch())
      plot.restart()
      plot.plant(older.writes[1]!)
    },
  ],
  [
    'a refused batch is there in part',
    'torn-batch',
    (plot) => {
      plot.acked(plot.newBatch())
      const refused = plot.store.refuse(plot.newBatch())
      plot.plant(refused.writes[2]!)
    },
  ],
  [
    'a batch without an answer is there in part',
    'torn-batch',
    (plot) => {
      const before = plot.acked(plot.newBatch())
      const unknown = plot.newBatch()
      plot.store.begin(unknown)
      plot.store.kill()
      plot.store.start()
      plot.plant(...before.writes, unknown.writes[1]!)
    },
  ],
  [
    'an acked batch is gone as a whole',
    'lost-write',
    (plot) => {
      const older = plot.acked(plot.newBatch())
      plot.acked(plot.newBatch())
      plot.restart()
      plot.plant(...older.writes)
    },
  ],
  [
    'a refused batch is there as a whole',
    'phantom-write',
    (plot) => {
      plot.acked(plot.newBatch())
      const refused = plot.store.refuse(plot.newBatch())
      plot.plant(...refused.writes)
    },
  ],
  [
    'a value has one character that differs',
    'corrupt-read',
    (plot) => {
      const { key, seq, size } = plot.acked(plot.newPut())
      const text = encodeValue(SEED, key, seq, size)
      const at = plot.store.random.integer(0, size - 1)
      const sight = identify(SEED, key, `${text.slice(0, at)}!${text.slice(at + 1)}`)
      plot.store.lie = (op, answer) =>
        op.f === 'get' && op.key === key ? ({ ...answer, value: sight } as Untimed<Event>) : answer
    },
  ],
  [
    'two keys have changed places',
    'corrupt-read',
    (plot) => {
      const one = plot.acked(plot.newPut(plot.keys[0]))
      const other = plot.acked(plot.newPut(plot.keys[1]))
      plot.restart()
      plot.store.data.set(one.key, other).set(other.key, one)
    },
  ],
  [
    'a value is there that was never written',
    'phantom-write',
    (plot) => {
      plot.acked(plot.newPut())
      plot.plant(plot.newPut(plot.keys[0], 90))
    },
  ],
  [
    'a key is there that was never written',
    'phantom-write',
    (plot) => plot.plant({ f: 'put', key: 'zzz', seq: 77, size: plot.store.random.integer(4, 120) }),
  ],
  [
    'a scan leaves a key out',
    'lost-write',
    (plot) => {
      const { key } = plot.acked(plot.newPut())
      plot.lieInScans((entries) => entries.filter(([each]) => each !== key))
      plot.acked({ f: 'scan', after: null, limit: 1000 })
      plot.store.lie = undefined
    },
  ],
  [
    'a scan is out of order',
    'corrupt-read',
    (plot) => {
      plot.acked(plot.newBatch())
      plot.lieInScans((entries) => entries.reverse())
      plot.acked({ f: 'scan', after: null, limit: 1000 })
    },
  ],
  [
    'a scan returns a key twice',
    'corrupt-read',
    (plot) => {
      plot.acked(plot.newPut())
      plot.lieInScans((entries) => [...entries.slice(0, 1), ...entries])
      plot.acked({ f: 'scan', after: null, limit: 1000 })
      plot.store.lie = undefined
    },
  ],
  [
    'a scan returns more than its limit',
    'corrupt-read',
    (plot) => {
      plot.acked(plot.newBatch())
      const all = plot.acked({ f: 'scan', after: null, limit: 1000 })
      expect(all.limit).toBe(1000)
      plot.lieInScans((entries, limit) => (limit === 1 ? [...entries, ...entries] : entries))
      plot.acked({ f: 'scan', after: null, limit: 1 })
      plot.store.lie = undefined
    },
  ],
  [
    'a scan begins before where it was asked to',
    'corrupt-read',
    (plot) => {
      const { key } = plot.acked(plot.newPut())
      const entry = [key, sightOf(key, plot.store.data.get(key))] as const
      plot.lieInScans((entries) => [entry, ...entries])
      plot.acked({ f: 'scan', after: key, limit: 1000 })
      plot.store.lie = undefined
    },
  ],
]

describe('a planted loss', () => {
  it.each(LOSSES)('%s: %s', (_, kind, plant) => {
    fc.assert(
      fc.property(fc.nat(), (schedule) => {
        const plot = new Plot(schedule)
        expect(kindsIn(plot.store.events)).toEqual([])
        plant(plot)
        plot.store.verify()
        expect(kindsIn(plot.store.events)).toEqual([kind])
      }),
      { numRuns: 20 },
    )
  })

  it('is reported once, however often it is read, and again when another value is lost', () => {
    fc.assert(
      fc.property(fc.nat(), (schedule) => {
        const plot = new Plot(schedule)
        const [first, second] = [plot.newPut(), plot.newPut()]
        for (const put of [first, second, plot.newPut()]) plot.acked(put)
        const count = () => judge(plot.store.events, { seed: SEED, contract: STRICTEST }).violations.length
        plot.plant(second)
        plot.store.verify()
        plot.store.verify()
        expect(count()).toBe(1)
        plot.plant(first)
        plot.store.verify()
        plot.store.verify()
        expect(count()).toBe(2)
      }),
      { numRuns: 20 },
    )
  })
})
