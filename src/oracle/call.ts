import type { Event, Operation } from '../history/events.js'
import type { TargetError } from '../target/protocol.js'

/** An operation under way. */
export interface Call {
  readonly client: number
  readonly op: Operation
  /** Index of its `invoke` in the history. */
  readonly at: number
}

export type Completion = Extract<Event, { type: 'ok' | 'fail' | 'info' }>

/** What the target said in refusal or failure; undefined where it succeeded or said nothing at all. */
export function answeredError(completion: Completion): TargetError | undefined {
  if (completion.type === 'ok') return undefined
  const { error } = completion
  return 'code' in error ? error : undefined
}
