import { defineConfig } from 'vitest/config'

export default defineConfig({
  // else it warns of every source map of a package that leaves its sources out
  logLevel: 'error',
  test: {
    include: ['src/**/*.test.ts'],
    reporters: ['default', './.ci/closing-line.js'],
    // end-to-end tests start processes of their own; two at a time is what two cores take
    maxWorkers: 2,
    // it imports JSON in a way that Node does not take
    server: { deps: { inline: [/@actions\//] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
