/** What a drill says to people: the plan before it, and the timeline after it. Pure. */
import { inSeconds } from '../report/sentences.js'
import { visible, wrap } from '../report/words.js'
import type { Foresight } from './faults/fault.js'
import type { ProcessState } from './host/processes.js'
import type { DrillPlan } from './plan.js'
import type { Phase, RoundRecord, Sample } from './record.js'

export interface Described {
  readonly plan: DrillPlan
  readonly title: string
  readonly foresight: Foresight
  /** Whose rights the evidence is about. */
  readonly service: string
  /** Processes that have something open there. */
  readonly users: readonly ProcessState[]
  readonly journal: string
  readonly probes: readonly string[]
  /** The target of an attached workload. */
  readonly attach?: string | undefined
  readonly rounds: number
}

const MOST_USERS = 8
/** Columns before the text of a line. */
const INDENT = 14

/** The plan: what --dry-run prints, and what a person confirms. */
export function planLines(described: Described, width: number): string[] {
  const row = (name: string, text: string) =>
    wrap(text, Math.max(20, width - INDENT)).map(
      (line, index) => `  ${(index === 0 ? name : '').padEnd(INDENT - 2)}${line}`,
    )
  const { plan, title, foresight, service, users, journal, probes, attach, rounds } = described
  const { place } = plan
  const named = users.slice(0, MOST_USERS).map(({ name, pid }) => `${visible(name)} (${pid})`)
  const more = users.length > MOST_USERS ? `, and ${users.length - MOST_USERS} more` : ''
  const often = rounds === 1 ? '' : `, ${rounds} times`
  return [
    `${title} on ${visible(plan.host)}, for ${inSeconds(plan.forMs)}${often}`,
    ...(place === undefined
      ? []
      : [
          ...row('path', visible(place.path)),
          ...row('file system', visible(`${place.type} of ${place.source} at ${place.mountPoint}`)),
          ...row(
            'in use by',
            named.length === 0 ? 'no process that we may look at' : `${named.join(', ')}${more}`,
          ),
        ]),
    ...row('service', visible(service)),
    ...probes.flatMap((probe) => row('probe', visible(probe))),
    ...(attach === undefined
      ? []
      : row('workload', visible(`${attach}, in a directory of its own below the path, removed in the end`))),
    ...foresight.does.flatMap((text) => row('does', visible(text))),
    ...foresight.undoes.flatMap((text) => row('undoes', visible(text))),
    ...row('journal', visible(journal)),
  ]
}

/** For each probe: a character a sample, a bar where the fault came and went, and the latencies. */
export function timelineLines({ samples, expectations }: RoundRecord): string[] {
  return expectations.flatMap(({ name }, probe) => {
    const own = samples.filter((sample) => sample.probe === probe)
    const of = (...phases: readonly Phase[]) => own.filter(({ phase }) => phases.includes(phase))
    const parts = [of('before'), of('during', 'edge'), of('after')]
    const picture = parts.map((some) => some.map(({ error }) => (error === undefined ? '.' : 'x')).join(''))
    const latencies = (['before', 'during', 'after'] as const).map(
      (phase) => `    ${phase.padEnd(6)} ${latency(of(phase))}`,
    )
    return [`  ${briefly(name)}`, `    [${picture.join('|')}]`, ...latencies]
  })
}

const MOST_OF_NAME = 60

/** The name of a probe where it is only to be told from another: its command may be long. */
export function briefly(name: string): string {
  return visible(name.length > MOST_OF_NAME ? `${name.slice(0, MOST_OF_NAME - 1)}…` : name)
}

/** Median and longest. */
function latency(samples: readonly Sample[]): string {
  const sorted = samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
  const failed = samples.filter(({ error }) => error !== undefined).length
  if (sorted.length === 0) return '-'
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!
  return `${median} ms (at most ${sorted.at(-1)} ms), ${failed} of ${sorted.length} failed`
}
