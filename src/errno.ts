/** Names of errors of the system, and their numbers: errno(3). */
import { constants } from 'node:os'

export function errnoNumber(name: string): number {
  return constants.errno[name as keyof typeof constants.errno]
}

export function errnoName(number: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === number)
  return found?.[0] ?? `errno ${number}`
}
