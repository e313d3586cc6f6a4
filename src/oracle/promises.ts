/**
 * Which promise of the contract a failure breaks: the one table that ties what went wrong, and what the target was
 * up against, to what it may waive.
 *
 *     what happened                                    full                  read-only               io
 *     wrong-error: a write refused for another reason  refuses-when-full     refuses-when-read-only  always broken
 *       … and all that the fault gives is EDQUOT or EFBIG  refuses-over-limit
 *       … and it is called corruption                                                              tells-errors-from-damage
 *     unreadable: a get or scan failed                 reads-when-full       reads-when-read-only    reads-after-io-error
 *     open-failed                                      opens-when-full       opens-…-files, -directory   allowed
 *     wrong-error: compaction refused                  compacts-when-full    allowed                 allowed
 *       … and all that the fault gives is EFBIG        allowed: no reserve makes room in a file
 *     wrong-error: a delete to make room refused       deletes-when-full     allowed                 allowed
 *     no-recovery: not back without a reopen           resumes-in-place      allowed                 allowed
 *     no-recovery: never back                          recovers-after-heal, whatever the fault was
 *     lost-write, resurrected-delete over a restart    durable-acks, whatever the fault was
 *     torn-batch                                       atomic-batches, whatever the fault was
 *
 * After a failure that a kernel may have taken for written (ext4 does), whatever is lost: distrusts-failed-sync as well.
 * So too where a write that failed is there in the place of what was acked after it.
 * After a fault that changed what was written, whatever is wrong with the data, and what is refused because of that:
 * tells-damage as well.
 * Under a fault of the family errorless there is no excuse for any of it.
 *
 * Everything else is broken under every contract: no target may crash, hang, make values up or lose what it acked
 * while it keeps running.
 */
import type { PromiseId } from '../target/contract.js'
import type { ErrorKind } from '../target/protocol.js'
import type { Fault } from './circumstances.js'

type Asked = 'refuses' | 'reads' | 'opens'

const PROMISES: Record<Asked, Record<Fault['family'], readonly PromiseId[]>> = {
  refuses: { full: ['refuses-when-full'], 'read-only': ['refuses-when-read-only'], io: [], errorless: [] },
  reads: {
    full: ['reads-when-full'],
    'read-only': ['reads-when-read-only'],
    io: ['reads-after-io-error'],
    errorless: [],
  },
  opens: {
    full: ['opens-when-full'],
    'read-only': ['opens-read-only-files', 'opens-in-read-only-directory'],
    io: [],
    errorless: [],
  },
}

/**
 * The promises that have to be made, all of them, for a failure under these faults to be a violation.
 * @param kind of the error that a refusal carries
 */
export function promisesOf(asked: Asked, faults: readonly Fault[], kind?: ErrorKind): PromiseId[] {
  return faults.flatMap((fault) => {
    const promises = PROMISES[asked][fault.family]
    if (asked === 'refuses' && fault.family === 'io' && kind === 'corruption')
      return ['tells-errors-from-damage']
    if (asked === 'refuses' && isLimit(fault)) return ['refuses-over-limit']
    if (asked !== 'opens' || fault.blocks === undefined) return promises
    return fault.blocks === 'files' ? ['opens-read-only-files'] : ['opens-in-read-only-directory']
  })
}

/** A disk that is full for the target alone: the error has a name that some databases do not know. */
function isLimit({ errnos }: Fault): boolean {
  return errnos.every((errno) => errno === 'EDQUOT' || errno === 'EFBIG')
}
