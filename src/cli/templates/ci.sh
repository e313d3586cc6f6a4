#!/bin/sh
# The chaos check, for any CI that runs a command. Exit code: 0 the gate is met, 1 it is not, 2 wrong usage,
# 3 this host cannot, 4 a fault of the tool.
set -eu
cd "$(dirname "$0")/.."
exec npx --yes lightning-chaos@VERSION run --reporter table --reporter junit=chaos.xml "$@"
