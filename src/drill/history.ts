/** A round of a drill as the history of a trial, so that whatever draws the one draws the other. Pure. */
import type { Event, FaultFamily } from '../history/events.js'
import type { EvidenceCount } from '../report/result.js'
import type { FaultName } from './plan.js'
import type { RoundRecord, Sample } from './record.js'

/** What each fault is to a database on that file system. */
export const FAMILIES: Readonly<Record<FaultName, FaultFamily>> = {
  diskfull: 'full',
  inodes: 'full',
  'quota-volume': 'full',
  permissions: 'read-only',
  readonly: 'read-only',
  immutable: 'read-only',
  'fd-limit': 'io',
  kill: 'errorless',
  pause: 'errorless',
  slow: 'errorless',
  stall: 'errorless',
}

/** Each probe is a client, and each of its answers a write: acked where it passed, refused where it failed. */
export function historyOf(record: RoundRecord, evidence: EvidenceCount): Event[] {
  const { plan, errnos, injected, ending, faulted, durationMs } = record
  const fault = { fault: plan.fault, family: FAMILIES[plan.fault], refusals: [], errnos }
  const seen = Object.entries(evidence).flatMap(([errno, counts]) =>
    (['direct', 'probe'] as const).map((grade): Event => {
      const detail = `${errno} was seen`
      return { type: 'evidence', time: faulted.from, grade, errno, count: counts[grade], detail }
    }),
  )
  const events: Event[] = [
    { type: 'fault', time: faulted.from, action: 'inject', ...fault, detail: injected },
    ...seen,
    { type: 'fault', time: faulted.to, action: 'heal', ...fault, detail: ending.detail },
    ...record.samples.flatMap((sample, id) => answerOf(sample, id, record)),
    { type: 'phase', time: durationMs, phase: 'restarted' },
  ]
  return events.sort((a, b) => a.time - b.time)
}

function answerOf(
  { probe, at, latencyMs, error }: Sample,
  id: number,
  { expectations }: RoundRecord,
): Event[] {
  const time = at + latencyMs
  const key = expectations[probe]?.name ?? ''
  return [
    { type: 'invoke', time: at, id, client: probe, op: { f: 'put', key, seq: id, size: 0 } },
    error === undefined
      ? { type: 'ok', time, id }
      : {
          type: 'fail',
          time,
          id,
          error: { code: 'PROBE', kind: 'internal', recoverable: true, message: error },
        },
  ]
}
