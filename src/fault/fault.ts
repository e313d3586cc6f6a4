/** What a fault is. Each file of this room defines one family of them; index.ts lists them all. */
import type { AsTarget, ProbeResult } from '../evidence/probe.js'
import type { FaultFamily } from '../history/events.js'
import type { Need } from '../sandbox/need.js'
import type { ErrorKind } from '../target/protocol.js'
import type { MountedVolume, VolumeKindName } from '../volume/volume.js'

/** A parameter as a scenario writes it. The schema, its JSON form and the docs are made from this table. */
export type ParameterSpec =
  /** Bytes; a scenario may write '64KiB'. */
  | { readonly type: 'size'; readonly default: number; readonly about: string }
  | { readonly type: 'count'; readonly default: number; readonly about: string }
  | { readonly type: 'boolean'; readonly default: boolean; readonly about: string }
  | { readonly type: 'text'; readonly default: string; readonly about: string }
  | {
      readonly type: 'choice'
      readonly choices: readonly [string, ...string[]]
      readonly default: string
      readonly about: string
    }

type ParameterValue = number | boolean | string
export type Parameters = Readonly<Record<string, ParameterValue>>

/** What a fault may touch: the trial's own volume and the target's process, nothing else. */
export interface FaultWorld {
  readonly volume: MountedVolume
  /** The target's process, where there is one. */
  readonly targetPid: number | undefined
  /** Wraps a command so that it runs with the target's identity. */
  readonly asTarget: AsTarget
  /** Of what the fault draws at random: the trial's seed, and another one for each fault of it. */
  readonly seed: string
}

/** A fault that is on. */
export interface ActiveFault {
  /** In words, with figures. */
  readonly detail: string
  /** Set where it is about the target's files alone, or about its directory alone. */
  readonly blocks?: 'files' | 'directory' | undefined
  /** Set where it takes the permission to read away as well. */
  readonly stopsReads?: boolean
  /** Set where the kernel may give up what it could not write, and a later sync says that all is well. */
  readonly forgets?: boolean
  /** The names, one of which proves that it was there, where that depends on its parameters. */
  readonly errnos?: readonly string[]
  /** How often it acted on the target's own operations, by such a name, where it sees that itself: direct evidence. */
  seen?(): Promise<ReadonlyMap<string, number>>
  /** Tries, as the target, what the fault forbids: the error that it got, or undefined where nothing stopped it. */
  probe(): Promise<ProbeResult | undefined>
  /** Takes the fault away again; says in words what was undone. */
  heal(): Promise<string>
}

export interface FaultKind {
  readonly kind: string
  readonly title: string
  readonly family: FaultFamily
  /** Names of errors ('ENOSPC') or of what it does otherwise ('slow'), one of which proves that the fault was there. */
  readonly errnos: readonly string[]
  /** The error kinds that a refusal may carry while the fault is on. */
  readonly refusals: readonly ErrorKind[]
  readonly needs: readonly Need[]
  /** The kinds of volume that it works on, where not on all. */
  readonly volumes?: readonly VolumeKindName[]
  /** Set where it needs such a disk under the file system. */
  readonly disk?: 'glass'
  readonly parameters: Readonly<Record<string, ParameterSpec>>
  /** Set where it changes what was written, and no operation fails. */
  readonly damages?: true
  /** Set where the fault can only be healed while no target runs (the volume has to be mounted again). */
  readonly healsStopped?: boolean
  /** Set where the fault can only be injected while no target runs. */
  readonly injectsStopped?: boolean
  /** Set where the fault sees by itself what it does to the target, so that nothing else has to watch. */
  readonly seesItself?: boolean
  inject(world: FaultWorld, parameters: Parameters): Promise<ActiveFault>
}
