#!/usr/bin/env bash
# Runs the commands that README.md and docs/ show: docs-commands.sh TOOL SCRATCH_DIRECTORY (beside | alone | all). That each of
# them is here, in a test on live servers or among the ones that are not run, with the reason, is what tests/cli/documents.rs checks.
# Faults and service levels look at what the machine can do, which is less beside something else: `alone` is those, `beside` the others.
set -euo pipefail
tool=$(realpath "$1") wanted=$3
case $wanted in beside | alone | all) ;; *) echo "not beside, alone or all: $wanted" >&2; exit 1 ;; esac
root=$PWD
export RECLAIM_BENCH_ROOT=$root PATH=$(dirname "$tool"):$PATH
mkdir -p "$2"
cd "$2"
# Of its own, for tests beside it start clusters that stay as well.
export XDG_STATE_HOME=$PWD/state

said() { [ "$1" = 0 ] || echo "the command above ended with exit code $1, twice" >&2; }
trap 'said $?' EXIT

# Once more where it fails: what a shared machine did to one measurement it hardly does to the next, and a command that does not
# work does not work twice.
twice() {
    bash -euo pipefail -c "$1" || {
        echo "  ended with exit code $?; once more (after $SECONDS s)"
        bash -euo pipefail -c "$1"
    }
}

# The part that the commands below belong to: it changes once, near the end.
part=beside
is_wanted() { [ "$wanted" = all ] || [ "$wanted" = "$part" ]; }

# As it is shown, and what is added to it here, so that nobody watches it for nothing.
run() {
    is_wanted || return 0
    printf "\n$ %s (after %d s)\n" "$1 ${2:-}" "$SECONDS"
    twice "$1 ${2:-}"
}

# A command that is shown, and a smaller one that is run for it.
instead() {
    is_wanted || return 0
    printf "\n$ %s\n  (for %s; after %d s)\n" "$2" "$1" "$SECONDS"
    twice "$2"
}

# What runs make beside the claims that are compared, of which so few say nothing.
export fewer
export few='--set load.warmup=200 --set compare.counter_blocks=2'

# README.md, docs/start.md
run 'reclaim-bench scenarios'
run 'reclaim-bench scenarios show lane-ab > mine.toml'
run 'reclaim-bench scenarios check ./mine.toml' '>/dev/null'
# Parts of the claims: how sure the answer is is no matter here.
instead 'reclaim-bench run ./mine.toml' 'reclaim-bench run ./mine.toml --claims 4000 $few --anyway --no-progress'
instead 'reclaim-bench run lane-ab --concurrency 64 --claims 45000 --set compare.noise_threshold=0.06' 'reclaim-bench run lane-ab --concurrency 64 --claims 8000 --set compare.noise_threshold=0.06 --anyway --no-progress'
# A run that is stored in the checkout.
instead 'reclaim-bench report results/reference/lane-ab' 'cd "$RECLAIM_BENCH_ROOT" && reclaim-bench report results/reference/lane-ab >/dev/null'
instead 'reclaim-bench report results/reference/rtt-sweep --network-rtt 0.5ms' 'cd "$RECLAIM_BENCH_ROOT" && reclaim-bench report results/reference/rtt-sweep --network-rtt 0.5ms | grep "than on the measured machine"'
# The two runs above are of this scenario.
instead 'reclaim-bench run lane-ab' 'ls -d results/lane-ab-* >/dev/null'
instead 'reclaim-bench report results/lane-ab-*' 'set -- results/lane-ab-*; reclaim-bench report "$1" >/dev/null'
instead 'reclaim-bench report results/lane-ab-* --format html > page.html' 'set -- results/lane-ab-*; reclaim-bench report "$1" --format html > page.html'
# The benchmark needs the checkout; the tool's own commands do not. With what the tests are built of, which is there already: how
# fast it is is no matter here, and with optimisation it would be built for this alone.
instead 'cargo bench -p reclaim-microbench --bench partition_key -- --quick' 'cd "$RECLAIM_BENCH_ROOT" && cargo bench --locked --profile dev --workspace --bench partition_key -- --quick'
instead 'reclaim-bench run lane-ab --nodes 10.0.0.1:6379 --tls --cacert ca.pem --user bench --password-file secret' 'echo secret > secret; reclaim-bench scenarios check lane-ab --nodes 10.0.0.1:6379 --tls --cacert ca.pem --user bench --password-file secret >/dev/null'

# docs/start.md, docs/jobs.md, docs/programs.md: `smoke` for each that takes longer.
run 'reclaim-bench run smoke' '--no-progress >/dev/null'
run 'reclaim-bench run smoke --events events.ndjson' '--anyway --no-progress --quiet >/dev/null; tail -n 1 events.ndjson'

# docs/profile.md. Whether a shared machine lets the parts add up is no matter here (3): what was measured must be there.
run 'reclaim-bench profile' '--no-progress || [ $? = 3 ]'
instead 'reclaim-bench profile lane-ab --base-library origin/main:crates/ff-script/src/flowfabric.lua --candidate-library crates/ff-script/src/flowfabric.lua' 'reclaim-bench profile lane-ab --candidate-library published --set compare.counter_blocks=4 --no-progress >/dev/null || [ $? = 3 ]; set -- results/profile-lane-ab-*; reclaim-bench report "$1" >/dev/null'

# docs/servers.md: a few of the claims, and the server that is here on both sides.
instead 'reclaim-bench run server-duet' 'reclaim-bench run server-duet --claims 2000 --set compare.strata=20 $few --anyway --no-progress >/dev/null'
instead 'reclaim-bench run server-duet --base-server /usr/bin/valkey-server --candidate-server default' 'reclaim-bench run server-duet --base-server default --candidate-server default --claims 800 --set compare.strata=10 $few --anyway --no-progress >/dev/null'
instead 'reclaim-bench run server-duet --base-server libc/valkey-server --candidate-server jemalloc/valkey-server' 'set -- results/server-duet-*; reclaim-bench report "$1" >/dev/null'
instead 'reclaim-bench run server-duet --candidate-config appendonly=yes --candidate-config appendfsync=everysec' 'reclaim-bench run server-duet --candidate-config appendonly=yes --candidate-config appendfsync=everysec --claims 800 --set compare.strata=10 $few --anyway --no-progress >/dev/null'
instead 'reclaim-bench run server-duet --candidate-config io-threads=2 --concurrency 16 --set compare.noise_threshold=0.06' 'reclaim-bench run server-duet --candidate-config io-threads=2 --concurrency 16 --set compare.noise_threshold=0.06 --claims 800 --set compare.strata=10 $few --anyway --no-progress >/dev/null'
sed '$ s/^server = "default".*/wait_replicas = 1\nserver = { replicas = 1 }/' "$root/scenarios/server-duet.toml" > replicas.toml
instead 'reclaim-bench run ./replicas.toml' 'reclaim-bench run ./replicas.toml --claims 800 --set compare.strata=10 $few --anyway --no-progress >/dev/null'

# docs/reports.md, docs/formats.md: what is stored, by names that are made up there.
instead 'reclaim-bench report results/lane-ab-20260102T030405Z-a1b2c3' 'set -- results/smoke-*; reclaim-bench report "$1" >/dev/null'
instead 'reclaim-bench compare results/lane-ab-20260102T030405Z-a1b2c3 results/lane-ab-20260103T030405Z-d4e5f6' 'set -- results/smoke-*; reclaim-bench compare "$1" "$2" || [ $? -le 3 ]'
instead 'reclaim-bench report results/lane-ab-20260102T030405Z-a1b2c3 --format ff-bench > lane-ab-abc1234.json' 'set -- results/smoke-*; reclaim-bench report "$1" --format ff-bench > lane-ab-abc1234.json'
# No verdict comes of figures without intervals.
instead 'reclaim-bench compare lane-ab-abc1234.json results/lane-ab-20260103T030405Z-d4e5f6' 'set -- results/smoke-*; code=0; reclaim-bench compare lane-ab-abc1234.json "$2" || code=$?; [ $code = 3 ]'

# docs/install.md
! is_wanted || trap 'code=$?; reclaim-bench cluster down >/dev/null; said $code' EXIT
run 'reclaim-bench cluster up --replicas 1'
run 'reclaim-bench cluster status'
run 'reclaim-bench cluster down'

part=alone
# README.md, docs/start.md, docs/jobs.md
# Half a minute of it. Whether a shared machine can carry a level is no matter here (1, 2, 3): what it measured must be there and
# be readable.
instead 'reclaim-bench capacity capacity --within 10m' 'reclaim-bench capacity capacity --within 30s --no-progress || [ $? -le 3 ]; reclaim-bench report results/capacity-capacity-* >/dev/null'
# Narrowed, so that nothing is kept for runs.
run 'reclaim-bench calibrate' '--quick --only round-trip --no-progress'
# 1 is a service level that this machine misses.
instead 'reclaim-bench run capacity --rate 1000 --duration 10s --gate' 'reclaim-bench run capacity --rate 100 --duration 2s --gate --anyway --set population.executions=1000 --no-progress --quiet >/dev/null || [ $? -le 3 ]'

# README.md, docs/faults.md
# Whether a shared machine keeps the level after a fault, or is steady enough to tell, is no matter here (1, 3): 2 is a fault that was
# not carried out, or a result that says nothing.
# Fewer claims per second and, behind the fault, fewer seconds of them: grants are stocked before the window, one by one.
fewer='--no-progress --rate 200 --set population.executions=6000'
run 'reclaim-bench run failover' '$fewer --duration 22s || [[ $? = [13] ]]'
run 'reclaim-bench run stall --primaries 1' '$fewer --duration 16s || [[ $? = [13] ]]'
run 'reclaim-bench run slot-move' '$fewer || [[ $? = [13] ]]'
# The default image needs a registry.
instead 'reclaim-bench run partition' 'reclaim-bench run partition --image "$RECLAIM_BENCH_TEST_IMAGE" $fewer --duration 25s || [[ $? = [13] ]]'
