#!/usr/bin/env bash
# Instruction counts of the pure benchmarks against benches/instructions.toml, where valgrind is installed.
# The runner must have the version that benches/Cargo.toml pins; it is installed once into target/ci-tools.
# Usage: .ci/instructions.sh
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed: instruction counts were NOT checked"
    exit 0
fi
version=$(sed -n 's/^gungraun = .*version = "=\([0-9.]*\)".*/\1/p' benches/Cargo.toml)
[ -n "$version" ] || { echo "benches/Cargo.toml does not pin gungraun with version = \"=x.y.z\"" >&2; exit 1; }
tools=$PWD/target/ci-tools
# It only starts valgrind and reads what that wrote: not worth optimising.
cargo install gungraun-runner --locked --debug --version "$version" --root "$tools"
# The package alone: without what the tool has for containers and TLS, for nothing is there already that is optimised.
export CARGO_PROFILE_BENCH_OPT_LEVEL=3
PATH=$tools/bin:$PATH cargo test --locked -p reclaim-microbench --features instructions --test instructions
