import { expect, test } from 'vitest'
import { swapFiles } from './images.js'

test('files that are swapped to, by whatever name', () => {
  const text = `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/sda2                               partition\t8388604\t0\t-2
/srv/a\\040swap\\040file                  file\t\t1048572\t0\t-3
/swapfile                               file\t\t1048572\t0\t-4
`
  expect(swapFiles(text)).toEqual(['/srv/a swap file', '/swapfile'])
})
