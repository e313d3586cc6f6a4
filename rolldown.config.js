/** What every trial starts anew: one file each, for looking up dozens of modules takes longer than what they do. */
const PROCESSES = ['sandbox/inside', 'target/adapters/lightning', 'target/adapters/sqlite', 'glass/server']

// zod goes along, so that what npx fetches stays small
export default ['vendor/zod', ...PROCESSES].map((name) => ({
  input: `dist/${name}.js`,
  platform: 'node',
  output: { file: `dist/${name}.js` },
}))
