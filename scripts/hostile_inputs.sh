#!/bin/sh
# Feeds every reader of what others have written so many million hostile inputs (1 where it is not said), optimised:
# scripts/hostile_inputs.sh 10. Prints how long each reader's took; one that breaks ends it with the input.
set -eu
cd "$(dirname "$0")/.."
RECLAIM_BENCH_FUZZ_CASES=$((${1:-1} * 1000000))
export RECLAIM_BENCH_FUZZ_CASES
# The benchmarks' profile: optimised, and built in half the time of a release.
cargo test --profile bench -p reclaim-analysis --test hostile --no-run
cargo test --profile bench -p reclaim-bench --lib --no-run
for target in scenario_file result; do
    echo "$target: $RECLAIM_BENCH_FUZZ_CASES inputs"
    cargo test --profile bench --quiet -p reclaim-analysis --test hostile "a_hostile_$target"
done
for target in reply slot_map redirect; do
    echo "$target: $RECLAIM_BENCH_FUZZ_CASES inputs"
    cargo test --profile bench --quiet -p reclaim-bench --lib "a_hostile_$target"
done
echo "info: $RECLAIM_BENCH_FUZZ_CASES inputs"
cargo test --profile bench --quiet -p reclaim-bench --lib hostile_info
