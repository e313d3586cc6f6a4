// Ends the run of the tests with one plain line, and names what was skipped. With NO_SKIPS set, a skip is a failure.
export default class ClosingLine {
  onTestRunEnd(modules, errors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state) => tests.filter((test) => test.result().state === state).length
    const skipped = tests.filter((test) => test.result().state === 'skipped')
    const broken = modules.filter(
      (module) =>
        module.state() === 'failed' &&
        ![...module.children.allTests()].some((test) => test.result().state === 'failed'),
    )
    for (const test of skipped)
      console.log(`skipped: ${test.fullName} (${test.result().note ?? 'this host lacks what it needs'})`)
    if (process.env.NO_SKIPS && skipped.length > 0) {
      console.log('a skip is a failure here: everything that the tests need was installed')
      process.exitCode = 1
    }
    console.log(
      `${count('passed')} passed, ${count('failed') + broken.length + errors.length} failed, ${skipped.length} skipped`,
    )
  }
}
