#!/usr/bin/env bash
# Runs a command of the tool that must make a valid result (0; verdicts do not count): .ci/valid.sh COMMAND...
# Beside other work a machine may stand still for a moment, which makes a result invalid (2): it has four tries more, each after a
# longer pause. What does not work does not work five times.
set -euo pipefail
for try in 1 2 3 4; do
    "$@" && exit
    code=$?
    [ "$code" = 2 ] || exit "$code"
    echo "an invalid result: once more in $((try * 10)) s (after try $try)" >&2
    sleep $((try * 10))
done
"$@"
