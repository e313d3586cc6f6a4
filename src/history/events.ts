/**
 * The history of a trial: what happened, in order. It is the only thing that the judge sees, so everything a
 * verdict can rest on is an event. Plain data, one JSON value an event.
 */
import type { ErrorKind, OpenMode, TargetError } from '../target/protocol.js'

/** The number of a write, unique in its trial, from 1 upwards. With the key it identifies a value. */
export type Seq = number

/** The client number of the runner's own operations, which are no part of the workload. */
export const RUNNER = -1

export interface PutOp {
  readonly f: 'put'
  readonly key: string
  readonly seq: Seq
  /** Length of the value in bytes (values are ASCII, so also in characters). */
  readonly size: number
}

export interface DeleteOp {
  readonly f: 'delete'
  readonly key: string
  readonly seq: Seq
}

export type WriteOp = PutOp | DeleteOp

export type Operation =
  | WriteOp
  | { readonly f: 'batch'; readonly writes: readonly WriteOp[] }
  | { readonly f: 'get'; readonly key: string }
  /** Keys greater than `after` (null: from the start), at most `limit` of them. */
  | { readonly f: 'scan'; readonly after: string | null; readonly limit: number }
  | { readonly f: 'sync' }
  | { readonly f: 'compact' }

/**
 * What a read saw, reduced to what identifies it:
 * `null` nothing there; `seq` a value that proved by itself which write made it;
 * `text` a value too short to prove anything, kept whole; `corrupt` a value that nobody wrote, with the reason.
 */
export type Observed = null | { readonly seq: Seq } | { readonly text: string } | { readonly corrupt: string }

/** Milliseconds since the trial began. For people and pictures: no verdict rests on it. */
type Time = number

type Phase = 'healthy' | 'faulted' | 'healed' | 'restarted'

/**
 * What a fault does to the target, which decides the errors that a refusal may carry and the promises that apply.
 * `full`: no room. `read-only`: writes not permitted. `io`: the device fails, and what it failed may be lost.
 * `errorless`: no operation fails that a target may not expect to (a power cut, a slow disk), so it has no excuse.
 */
export type FaultFamily = 'full' | 'read-only' | 'io' | 'errorless'

export type Event = OperationEvent | WorldEvent

type OperationEvent =
  | {
      readonly type: 'invoke'
      readonly time: Time
      readonly id: number
      readonly client: number
      readonly op: Operation
    }
  | {
      readonly type: 'ok'
      readonly time: Time
      readonly id: number
      /** Of a get. */
      readonly value?: Observed
      /** Of a scan. */
      readonly entries?: readonly (readonly [key: string, value: Observed])[]
    }
  /** Refused: it did not happen. */
  | { readonly type: 'fail'; readonly time: Time; readonly id: number; readonly error: TargetError }
  /** Unknown: it may have happened. `timeout`: no answer in time; `exit`: the process ended first. */
  | {
      readonly type: 'info'
      readonly time: Time
      readonly id: number
      readonly error: TargetError | { readonly kind: 'timeout' | 'exit'; readonly message: string }
    }

type WorldEvent =
  /** The place for the target's files is ready. In words: 'tmpfs on /dev/shm/x/volume'. */
  | { readonly type: 'volume'; readonly time: Time; readonly detail: string }
  | { readonly type: 'phase'; readonly time: Time; readonly phase: Phase }
  /** A round of a repeat that goes on until one is left untouched begins: from 1. */
  | { readonly type: 'round'; readonly time: Time; readonly number: number }
  | {
      readonly type: 'fault'
      readonly time: Time
      readonly action: 'inject' | 'heal'
      readonly fault: string
      readonly family: FaultFamily
      /** Kinds that a refusal may carry while this fault is on. */
      readonly refusals: readonly ErrorKind[]
      /** One of these, seen by the target or a probe, proves that the fault was there. */
      readonly errnos: readonly string[]
      /** Set where the fault takes the permission to read away as well: no promise to read holds then. */
      readonly stopsReads?: true
      /** Set where it changes what was written, and no operation fails. */
      readonly damages?: true
      /** Set where the kernel may give up what it could not write, and a later sync says that all is well. */
      readonly forgets?: true
      /** Of the family read-only: what it takes the permission to write from; absent where that is both. */
      readonly blocks?: 'files' | 'directory'
      /** In words, with figures: 'ballast of 3,145,728 bytes, 0 bytes free'. */
      readonly detail: string
    }
  /**
   * The target's process. `start`: spawned and greeted. `kill`: killed by us. `stop`: closed by us and ended.
   * `crash`: ended when nobody asked it to. `hang`: did not answer in time and was killed.
   * `garbage`: answered with something that is not the protocol.
   */
  | {
      readonly type: 'process'
      readonly time: Time
      readonly action: 'start' | 'kill' | 'stop' | 'crash' | 'hang' | 'garbage'
      readonly detail: string
    }
  | { readonly type: 'open'; readonly time: Time; readonly ok: true; readonly mode: OpenMode }
  | { readonly type: 'open'; readonly time: Time; readonly ok: false; readonly error: TargetError }
  | { readonly type: 'close'; readonly time: Time }
  | {
      readonly type: 'evidence'
      readonly time: Time
      /** `direct`: the target's own system call returned the error. `probe`: a probe in its place got it. */
      readonly grade: 'direct' | 'probe'
      readonly errno: string
      readonly count: number
      readonly detail: string
    }
  /** How much room the volume has left for somebody without privileges: statfs(2). Written down where it has changed. */
  | { readonly type: 'space'; readonly time: Time; readonly freeBytes: number; readonly freeInodes: number }
  /** The outcome of waiting for writes to come back after a heal: how it took, or that it never did. */
  | {
      readonly type: 'resume'
      readonly time: Time
      readonly how: 'in-place' | 'reopen' | 'restart' | 'never'
      readonly detail: string
    }
  /** `begin` and `end` of a full read-back with no other operation under way: what it saw is final. */
  | { readonly type: 'verify'; readonly time: Time; readonly action: 'begin' | 'end' }
