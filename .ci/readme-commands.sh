#!/usr/bin/env bash
# Runs the commands that README.md shows: readme-commands.sh TOOL SCRATCH_DIRECTORY. Those that need a cluster
# elsewhere are checked without running.
set -euo pipefail
tool=$1
readme=$PWD/README.md
cd "$2"

# A command that is not in the README any more must not stay here, and the other way round.
shown() { grep -qF -- "$1" "$readme" || { echo "README.md does not show: $1" >&2; exit 1; }; }

shown 'reclaim-bench scenarios '
"$tool" scenarios
shown 'reclaim-bench scenarios show lane-ab > mine.toml'
"$tool" scenarios show lane-ab > mine.toml
shown 'reclaim-bench scenarios check ./mine.toml'
"$tool" scenarios check ./mine.toml >/dev/null
shown 'reclaim-bench run ./mine.toml'
"$tool" run ./mine.toml --no-progress
shown 'reclaim-bench run lane-ab --concurrency 64 --claims 40000 --set population.lanes=16'
"$tool" run lane-ab --concurrency 64 --claims 40000 --set population.lanes=16 --no-progress
shown 'reclaim-bench capacity capacity --within 10m'
# Two minutes of it. Whether a shared machine can carry a level is no matter here (1, 2, 3): what it measured must be
# there and be readable.
code=0
"$tool" capacity capacity --within 2m --no-progress || code=$?
case $code in [0-3]) ;; *) echo "capacity exits with $code" >&2; exit 1 ;; esac
"$tool" report results/capacity-capacity-* >/dev/null
# The benchmark needs the checkout; the tool's own commands do not.
shown 'cargo bench -p reclaim-microbench --bench partition_key -- --quick'
(cd "$(dirname "$readme")" && cargo bench --locked -p reclaim-microbench --bench partition_key -- --quick)
shown 'reclaim-bench calibrate'
# Narrowed, so that nothing is kept for runs.
"$tool" calibrate --quick --only round-trip --no-progress
shown '--nodes 10.0.0.1:6379 --tls --cacert ca.pem --user bench --password-file secret'
echo secret > secret
"$tool" scenarios check lane-ab --nodes 10.0.0.1:6379 --tls --cacert ca.pem --user bench --password-file secret >/dev/null
