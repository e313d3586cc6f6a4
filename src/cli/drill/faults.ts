/** Which options each fault has. Light: this is read whenever the tool is called. */
import type { FaultName } from '../../drill/plan.js'

/** What can be said of a fault, by options or in a file. */
export interface FaultDeclaration {
  readonly about: string
  readonly needs: 'path' | 'process'
  /** What --leave means, where the fault has it. */
  readonly leave?: { readonly unit: 'size' | 'count'; readonly about: string; readonly default: number }
  readonly reserved?: true
  readonly rate?: true
  readonly volume?: true
}

export const FAULTS: Readonly<Record<FaultName, FaultDeclaration>> = {
  diskfull: {
    about: 'fill the file system that holds a directory',
    needs: 'path',
    leave: { unit: 'size', about: 'room to leave', default: 0 },
    reserved: true,
  },
  inodes: {
    about: 'use up every inode of the file system that holds a directory',
    needs: 'path',
    leave: { unit: 'count', about: 'inodes to leave', default: 0 },
  },
  permissions: { about: 'take the write bits of a directory and of everything in it', needs: 'path' },
  readonly: { about: 'mount a directory upon itself, read-only', needs: 'path' },
  immutable: {
    about: 'let nobody change a directory and what is in it, by chattr +i',
    needs: 'path',
  },
  slow: {
    about: 'let the processes of a service read and write only so many bytes a second',
    needs: 'path',
    rate: true,
  },
  stall: { about: 'freeze the file system that holds a directory', needs: 'path' },
  pause: { about: 'stop the processes of a service, and let them go on', needs: 'process' },
  kill: {
    about: 'kill the main process of a service, for its supervisor to start it again',
    needs: 'process',
  },
  'quota-volume': {
    about: 'put a small volume in the place of a directory, for a service that is stopped and started',
    needs: 'path',
    volume: true,
  },
  'fd-limit': { about: 'let the processes of a service open nothing more', needs: 'process' },
}
