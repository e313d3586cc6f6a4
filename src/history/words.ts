import type { Event } from './events.js'

/** What happened in the world around the operations; undefined for an operation, and for what only a picture can show. */
export function eventInWords(event: Event): string | undefined {
  switch (event.type) {
    case 'volume':
      return `volume: ${event.detail}`
    case 'phase':
      return `the phase '${event.phase}' begins`
    case 'round':
      return `round ${event.number} begins`
    case 'fault':
      return `${event.action} ${event.fault}: ${event.detail}`
    case 'process':
      return `target: ${event.action}: ${event.detail}`
    case 'open':
      return event.ok ? `target: open, ${event.mode}` : `target: open failed: ${event.error.message}`
    case 'close':
      return 'target: close'
    case 'evidence':
      return `evidence of ${event.errno}, ${event.grade}: ${event.detail}`
    case 'resume':
      return `resume, ${event.how}: ${event.detail}`
    case 'verify':
      return `read-back: ${event.action}`
    default:
      return undefined
  }
}
