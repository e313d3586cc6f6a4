/** What the schema cannot say: whether the parts of a scenario fit each other, and its steps their order. */
import type { FaultKind } from '../fault/fault.js'
import { hasTrace, type VolumeKind, type VolumeKindName } from '../volume/volume.js'
import type { FlatStep, Scenario } from './schema.js'
import { formatSize } from './size.js'

/** Something that does not fit. The text reads on from "found …" and begins with "expected". */
export interface Misfit {
  readonly path: readonly (string | number)[]
  readonly text: string
}

/** What the check has to know of the volumes and faults that there are. */
export interface Kinds {
  readonly volumes: Readonly<Record<VolumeKindName, Pick<VolumeKind, 'minimumSize' | 'defaultSize'>>>
  readonly faults: readonly Pick<
    FaultKind,
    'kind' | 'volumes' | 'disk' | 'healsStopped' | 'injectsStopped' | 'seesItself'
  >[]
}

const WITH_INODES: readonly VolumeKindName[] = ['tmpfs', 'ext4', 'glass']
const ON_A_DISK: readonly VolumeKindName[] = ['ext4', 'xfs', 'btrfs']

/** Everything about a scenario that does not fit, each with the path to it. */
export function checkScenario(scenario: Scenario, kinds: Kinds): Misfit[] {
  return [
    ...checkVolume(scenario, kinds),
    ...checkWorkload(scenario),
    ...checkRounds(scenario, kinds),
    ...checkTimeline(scenario, kinds),
  ]
}

function checkVolume({ volume }: Scenario, { volumes }: Kinds): Misfit[] {
  const { minimumSize, defaultSize } = volumes[volume.kind]
  const size = volume.size ?? defaultSize
  const misfits: Misfit[] = []
  const misfit = (key: string, text: string) => void misfits.push({ path: ['volume', key], text })

  if (size < minimumSize)
    misfit('size', `expected at least ${formatSize(minimumSize)}, the least that ${volume.kind} works with`)
  if (volume.inodes !== undefined && !WITH_INODES.includes(volume.kind))
    misfit('inodes', `expected none with ${volume.kind}: only ${list(WITH_INODES)} limit them`)
  if (volume.thin !== undefined && !ON_A_DISK.includes(volume.kind))
    misfit('thin', `expected none with ${volume.kind}: only ${list(ON_A_DISK)} have a disk under them`)
  else if (volume.thin !== undefined && volume.thin >= size)
    misfit('thin', `expected less than the size of the volume, ${formatSize(size)}`)
  if (volume.disk !== undefined && !ON_A_DISK.includes(volume.kind))
    misfit('disk', `expected none with ${volume.kind}: only ${list(ON_A_DISK)} have a disk under them`)
  else if (volume.disk !== undefined && volume.thin !== undefined)
    misfit('disk', 'expected no thin beside it: that is another disk')
  if (volume.trace !== undefined && !hasTrace(volume))
    misfit('trace', `expected none with ${volume.kind}: only glass has one`)
  return misfits
}

function checkWorkload({ workload, timeline }: Scenario): Misfit[] {
  const { keys, clients } = workload
  const misfits: Misfit[] = []
  if (keys < clients)
    misfits.push({
      path: ['workload', 'keys'],
      text: `expected at least ${clients}: each client has keys of its own`,
    })
  const check = (mix: Scenario['workload']['mix'] | undefined, path: Misfit['path']) => {
    if (mix !== undefined && Object.values(mix).every((weight) => weight === 0))
      misfits.push({ path, text: 'expected a weight above 0 for one operation at least' })
  }
  check(workload.mix, ['workload', 'mix'])
  for (const { step, path } of unrolled(timeline, 1)) if (step.do === 'run') check(step.mix, [...path, 'mix'])
  return misfits
}

/** Only what glass does is counted as acted, and only a repeat has rounds. */
function checkRounds({ timeline }: Scenario, { faults }: Kinds): Misfit[] {
  return timeline.flatMap((step, index): Misfit[] => {
    const path = ['timeline', index] as const
    if (step.do === 'repeat') {
      const seen = step.steps.some((each) =>
        faults.some(({ kind, seesItself }) => each.do === 'inject' && each.fault === kind && seesItself),
      )
      if (step.until === undefined || seen) return []
      return [{ path: [...path, 'until'], text: 'expected an inject of a fault on glass in its steps' }]
    }
    if (step.do !== 'inject') return []
    const words = Object.entries(step).filter(([, value]) => value === 'round')
    return words.map(([name]) => ({
      path: [...path, name],
      text: 'expected a number: only in the steps of a repeat there are rounds',
    }))
  })
}

interface Placed {
  readonly step: FlatStep
  readonly path: Misfit['path']
}

/** The flat steps in their order, those of a repeat as often as it says but at most `rounds` times. */
function* unrolled(timeline: Scenario['timeline'], rounds: number): Generator<Placed> {
  for (const [index, step] of timeline.entries()) {
    const path = ['timeline', index]
    if (step.do !== 'repeat') yield { step, path }
    else
      for (let round = 0; round < Math.min(step.times, rounds); round++)
        for (const [inner, flat] of step.steps.entries())
          yield { step: flat, path: [...path, 'steps', inner] }
  }
}

/** `maybe`: it was started while a fault was on, which may have kept it from opening. */
type Running = 'yes' | 'no' | 'maybe'

/** Plays the timeline through. A second round shows all that a repeat can do: each step sets the state, none counts. */
function checkTimeline({ timeline, volume }: Scenario, { faults }: Kinds): Misfit[] {
  const misfits = new Map<string, Misfit>()
  let running: Running = 'yes'
  let healed = false
  let everInjected = false
  const active = new Map<string, Kinds['faults'][number]>()

  for (const { step, path } of unrolled(timeline, 2)) {
    const misfit = (key: string, text: string) => {
      const at = [...path, key]
      if (!misfits.has(at.join('.'))) misfits.set(at.join('.'), { path: at, text })
    }
    switch (step.do) {
      case 'start':
        if (running === 'yes') misfit('do', 'expected a stop or a kill before it: the target is running here')
        running = active.size > 0 ? 'maybe' : 'yes'
        break
      case 'inject': {
        const fault = faults.find(({ kind }) => kind === step.fault)
        if (fault?.volumes !== undefined && !fault.volumes.includes(volume.kind))
          misfit(
            'fault',
            `expected a fault that works on ${volume.kind}; this one needs ${list(fault.volumes)}`,
          )
        if (fault?.disk !== undefined && volume.disk !== fault.disk)
          misfit('fault', `expected a volume with disk: ${fault.disk}, which ${fault.kind} needs`)
        if (fault?.injectsStopped && running !== 'no')
          misfit(
            'fault',
            `expected a stop or a kill before it: ${fault.kind} comes only while no target runs`,
          )
        if (fault !== undefined) active.set(fault.kind, fault)
        everInjected = true
        break
      }
      case 'heal': {
        if (active.size === 0) misfit('do', 'expected an inject before it: no fault is on here')
        const stopped = [...active.values()].find(({ healsStopped }) => healsStopped)
        if (stopped !== undefined && running !== 'no')
          misfit('do', `expected a stop or a kill before it: ${stopped.kind} heals only while no target runs`)
        active.clear()
        healed = true
        break
      }
      default:
        if (running === 'no') misfit('do', 'expected a start before it: the target is not running here')
        if (step.do === 'resume' && (!healed || active.size > 0)) misfit('do', 'expected a heal before it')
        if (step.do === 'stop' || step.do === 'kill') running = 'no'
    }
  }
  if (!everInjected)
    misfits.set('', {
      path: ['timeline'],
      text: 'expected an inject: a trial without a fault proves nothing',
    })
  return [...misfits.values()]
}

function list(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
