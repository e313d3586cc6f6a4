/**
 * What a target promises. The strictest contract is the default: a target file may waive a promise, with a
 * reason, and the report shows every promise that was waived.
 */

export const PROMISES = {
  'durable-acks': 'a write that was acked is still there after the process was killed and after a restart',
  'atomic-batches': 'a batch is there as a whole or not at all',
  'refuses-when-full': 'on a full disk a write is refused with an error that says so',
  'refuses-over-limit':
    'over a quota (EDQUOT) or a file size limit (EFBIG) a write is refused as on a full disk, with an error that says so',
  'reads-when-full': 'reads go on while the disk is full',
  'deletes-when-full': 'deletes work while the disk is full',
  'compacts-when-full': 'compaction works while the disk is full',
  'opens-when-full': 'it opens while the disk is full',
  'resumes-in-place': 'writes resume by themselves when there is room again, with no reopen',
  'refuses-when-read-only': 'a write without permission is refused with an error that says so',
  'reads-when-read-only': 'reads go on after the permission to write was taken away',
  'opens-read-only-files': 'it opens files that it may not write, and serves reads',
  'opens-in-read-only-directory':
    'it opens in a directory in which it may not create files, and serves reads',
  'reads-after-io-error': 'reads go on after a write or an fsync failed',
  'distrusts-failed-sync':
    'once a write or a sync has failed, nothing is acked before it is known what came of it',
  'tells-errors-from-damage': 'an error of the disk is refused as that, and not taken for damage',
  'tells-damage':
    'what a disk changed behind its back is told as damage, and neither given as right nor left out without a word',
  'recovers-after-heal': 'once the fault is gone, a restart at the latest brings writes back',
} as const

export type PromiseId = keyof typeof PROMISES

/** Promises that a target does not make, each with the reason (best: a source) for the report. */
export interface Contract {
  readonly waived: Readonly<Partial<Record<PromiseId, string>>>
}

export const STRICTEST: Contract = { waived: {} }
