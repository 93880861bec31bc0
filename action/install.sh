#!/usr/bin/env bash
# Builds the tool from the action's own sources, and puts it on the PATH of the steps after this one.
set -euo pipefail
root=$RUNNER_TEMP/reclaim-bench
cargo install --locked --path "$GITHUB_ACTION_PATH" --root "$root"
echo "$root/bin" >>"$GITHUB_PATH"
