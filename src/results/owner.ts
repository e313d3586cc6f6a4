/**
 * Whose rights results are written with. Root may write through any link that somebody else put into a directory of
 * theirs; a process that has become that somebody cannot do more harm than they could: credentials(7).
 */
import type { Stats } from 'node:fs'

/**
 * Calls `use` with the rights of an owner, where this is root; anybody else keeps their own. The whole process
 * changes, so nothing else may be going on.
 */
export async function asOwner<T>(
  { uid, gid }: Pick<Stats, 'uid' | 'gid'>,
  use: () => Promise<T>,
): Promise<T> {
  if (process.geteuid?.() !== 0 || uid === 0) return await use()
  const group = process.getegid!()
  const groups = process.getgroups!()
  try {
    // groups first: whoever is not root any more may not change them
    process.setgroups!([gid])
    process.setegid!(gid)
    process.seteuid!(uid)
    return await use()
  } finally {
    process.seteuid!(0)
    process.setegid!(group)
    process.setgroups!(groups)
  }
}
