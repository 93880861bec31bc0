#!/usr/bin/env bash
# Builds the image of Dockerfile from the binary that is there and an image of Debian's packages, and runs it: alone, and
# beside the cluster of compose.yaml, from inside and from this machine.
# Usage: .ci/containers.sh TOOL BASE_IMAGE SCRATCH_DIRECTORY
set -euo pipefail
tool=$1 base=$2 scratch=$3
cd "$(dirname "$0")/.."
image=reclaim-bench:ci
compose=(docker compose)
docker compose version >/dev/null 2>&1 || compose=(docker-compose)
compose+=(--project-name reclaim-bench-ci --project-directory "$scratch" --file "$scratch/compose.yaml")
export RECLAIM_BENCH_IMAGE=$image

# Results land beside the file: not in the checkout.
mkdir -p "$scratch"
cp compose.yaml "$scratch/"

cleanup() {
    "${compose[@]}" --profile tools down --volumes --timeout 1 >/dev/null 2>&1 || true
    docker image rm --force "$image" >/dev/null 2>&1 || true
}
trap cleanup EXIT

# 0 is a valid run; its verdicts do not count.
docker build --quiet --target prebuilt --build-arg "BASE=$base" --tag "$image" .
docker run --rm "$image" --version
# Read to its end: who writes to a pipe that grep -q has closed has failed.
docker run --rm "$image" run --help | grep -- '^ *--live' >/dev/null || { echo "the image's tool has no --live" >&2; exit 1; }
.ci/valid.sh docker run --rm --network none "$image" run smoke --no-progress --quiet >"$scratch/alone.txt" ||
    { cat "$scratch/alone.txt"; exit 1; }
grep -q '^  - cluster: Valkey .*3 primaries, 0 replicas,' "$scratch/alone.txt" ||
    { cat "$scratch/alone.txt"; echo "the server in the image was not used" >&2; exit 1; }

cluster='^  - cluster: Valkey .*3 primaries, 3 replicas,'
"${compose[@]}" run --rm -T form
.ci/valid.sh "${compose[@]}" run --rm -T bench run smoke --no-progress --quiet --format json >"$scratch/inside.json"
.ci/valid.sh "$tool" run smoke --nodes 127.0.0.1:7001 --no-progress --quiet --output "$scratch/outside" >"$scratch/outside.txt" ||
    { cat "$scratch/outside.txt"; exit 1; }
grep -q "$cluster" "$scratch/outside.txt" || { cat "$scratch/outside.txt"; exit 1; }
last=$(ls -dt "$scratch"/results/smoke-* | head -n 1)
"$tool" report "$last" | grep "$cluster"
