/** What the tool and the process inside a sandbox say to each other: JSON lines on its stdin and stdout. */
import type { Event } from '../history/events.js'
import type { Trial } from '../trial/trial.js'
import type { Isolation } from './isolation.js'
import type { Capability, Need } from './need.js'

interface Common {
  readonly isolation: Isolation
  /** Names this run, so that what a killed sandbox left can be found. */
  readonly owner: string
  /** Sandboxes that run at the same time have different ones, from 0; what a slot has is used again. */
  readonly slot: number
  /** The directory to work in where there are no namespaces. */
  readonly borrowed?: string
}

/** The first line that the sandboxed process reads. */
export type SandboxRequest =
  | (Common & {
      readonly kind: 'trial'
      readonly trial: Trial
      /** Where the target's files are copied to, if they are to be kept. */
      readonly keep?: string
    })
  | (Common & { readonly kind: 'capabilities'; readonly needs: readonly Need[] })

/** The line that follows `finished`: whether to keep the target's files. */
export interface SandboxFarewell {
  readonly keep: boolean
}

export type SandboxMessage =
  | { readonly events: readonly Event[] }
  | {
      readonly finished: {
        readonly target: { readonly name: string; readonly version: string } | undefined
        readonly identity: string
        readonly log: string
      }
    }
  | { readonly capabilities: readonly Capability[] }
  | { readonly kept: string }
  /** Why the files could not be kept. */
  | { readonly notKept: string }
  | {
      readonly error: {
        readonly name: string
        readonly message: string
        readonly stack: string
        readonly exitCode: number
        readonly hint?: string
      }
    }
