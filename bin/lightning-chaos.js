#!/usr/bin/env node
var major = Number(process.versions.node.split('.')[0])
var minor = Number(process.versions.node.split('.')[1])
if (major < 20 || (major === 20 && minor < 19)) {
  console.error('lightning-chaos needs Node >= 20.19; this is ' + process.version)
  process.exit(3)
}
import('../dist/cli/main.js').then(function (cli) {
  return cli.main(process.argv)
})
