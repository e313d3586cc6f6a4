/** Runs jobs on a few workers at a time, in order. */

/**
 * @param workers how many jobs may be under way at once
 * @param jobs taken from in order
 * @param work what to do with one; a rejection stops the pool from taking more, and is thrown once all are done
 * @param stop asked before each job; true ends the pool early
 */
export async function runPool<J>(
  workers: number,
  jobs: readonly J[],
  work: (job: J) => Promise<void>,
  stop: () => boolean,
): Promise<void> {
  const queue = jobs.values()
  let failed = false
  const worker = async (): Promise<void> => {
    for (const job of queue) {
      try {
        await work(job)
      } catch (error) {
        failed = true
        throw error
      }
      if (failed || stop()) return
    }
  }
  const workersDone = Array.from({ length: Math.min(workers, jobs.length) }, worker)
  for (const done of await Promise.allSettled(workersDone)) if (done.status === 'rejected') throw done.reason
}
