/** Who did what and when, for those who ask later: a line of JSON each in STATE/audit.jsonl, and the system's log. */
import { execFile } from 'node:child_process'
import { closeSync, constants, fsyncSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import { COMMAND_PATH } from '../sandbox/command.js'
import type { DrillPlan } from './plan.js'

export type AuditEvent = 'armed' | 'injected' | 'undone' | 'not-undone' | 'verified' | 'not-verified'

/**
 * A drill goes on without its log: what is wrong with it is told, and no reason to leave a fault where it is.
 * @returns why it could not be written, in words; undefined where it was
 */
export function audit(state: string, plan: DrillPlan, event: AuditEvent, detail: string): string | undefined {
  const { id, fault, place, host, user } = plan
  const time = new Date().toISOString()
  const line = JSON.stringify({ time, event, drill: id, fault, path: place?.path, host, user, detail })
  toSystemLog(`drill ${id} ${fault} ${event}: ${detail}`)
  try {
    const fd = openSync(path.join(state, 'audit.jsonl'), APPEND, 0o600)
    try {
      writeSync(fd, `${line}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** Without waiting, should it be a pipe by now. */
const APPEND =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** logger(1) ends by itself, with or without a log daemon to hear it. */
function toSystemLog(text: string): void {
  const args = ['--tag', 'lightning-chaos', '--priority', 'user.notice', '--', text.replace(/\s+/g, ' ')]
  execFile('logger', args, { env: { PATH: COMMAND_PATH }, timeout: 5000 }, () => {}) // no logger, no system log
}
