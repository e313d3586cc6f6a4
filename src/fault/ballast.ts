import type { FaultKind } from './fault.js'

export const ballast: FaultKind = {
  kind: 'ballast',
  title: 'A neighbour fills the volume',
  family: 'full',
  errnos: ['ENOSPC'],
  refusals: ['disk-full'],
  needs: [],
  parameters: {
    leave: { type: 'size', default: 0, about: 'Bytes to leave free' },
  },
  async inject() {
    throw new Error('not yet')
  },
}
