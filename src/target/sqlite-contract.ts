import type { Contract } from './contract.js'

/**
 * What SQLite promises in WAL mode with synchronous=FULL: everything, but for what its own documentation does not
 * promise. Each reason says where it is written.
 */
export const SQLITE_CONTRACT: Contract = {
  waived: {
    'deletes-when-full':
      'a commit, of a delete too, is appended to the WAL file: https://www.sqlite.org/wal.html#how_wal_works',
    'compacts-when-full':
      'a checkpoint writes into the database file, which may have to grow: https://www.sqlite.org/wal.html#checkpointing',
    'opens-when-full':
      'opening has to make the -wal and -shm files where they are not there: https://www.sqlite.org/wal.html#read_only_databases',
    'refuses-over-limit':
      'SQLITE_FULL is for a full file system; a write that fails otherwise is SQLITE_IOERR: https://www.sqlite.org/rescode.html#full',
    'refuses-when-read-only':
      'SQLITE_READONLY is for a connection that was opened without permission; taken away later, it is SQLITE_IOERR: https://www.sqlite.org/rescode.html#readonly',
    'distrusts-failed-sync':
      'a commit after one that failed writes to the same WAL again and relies on its sync, and the failed one may stay in it: https://www.sqlite.org/atomiccommit.html (2, Hardware Assumptions)',
    'tells-errors-from-damage':
      'a read that fails may be SQLITE_IOERR_CORRUPTFS, and that is SQLITE_CORRUPT: https://www.sqlite.org/rescode.html#ioerr_corruptfs',
    'tells-damage':
      'pages have no checksum without an extension, and recovery of a WAL ends at the first frame that is not right: https://www.sqlite.org/cksumvfs.html, https://www.sqlite.org/walformat.html#recovery',
    'opens-in-read-only-directory':
      'the -wal and -shm files have to be there already, or the directory writable: https://www.sqlite.org/wal.html#read_only_databases',
  },
}
