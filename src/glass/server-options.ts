/** What a server is told when it is started. */
export interface ServerOptions {
  readonly mountPoint: string
  /** The file that content is kept in; it must not be there yet. */
  readonly backing: string
  /** Capacity in bytes, and in files and directories. */
  readonly size: number
  readonly inodes: number
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Name of the file in the root that commands are written to. */
  readonly control: string
  /** Where every operation is written down, and whether with the bytes that were read and written. */
  readonly trace?: { readonly file: string; readonly bytes: boolean }
}
