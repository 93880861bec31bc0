#!/usr/bin/env bash
# Runs one scenario by several generators under each engine that this machine can be, and by one generator beside them:
# .ci/engines.sh TOOL BASE_IMAGE SCRATCH_DIRECTORY. Shows a table of the runs; counts must be the plan's in each of them.
set -euo pipefail
tool=$(realpath "$1") base=$2 scratch=$3
cd "$(dirname "$0")/.."
root=$PWD image=reclaim-bench:engines generators=3
mkdir -p "$scratch/results"
chmod 1777 "$scratch/results"
scenario=$root/deploy/shared.toml
# A shared machine is not asked whether it can judge.
few=(--anyway)
compose=(docker compose)
docker compose version >/dev/null 2>&1 || compose=(docker-compose)
compose+=(--project-name reclaim-bench-engines --project-directory "$scratch" --file "$scratch/compose.yaml" --profile generators)
export RECLAIM_BENCH_IMAGE=$image XDG_STATE_HOME=$scratch/state
swarm_is_ours= slurm=
daemons=()

cleanup() {
    "$tool" cluster down >/dev/null 2>&1 || true
    "${compose[@]}" down --volumes --timeout 1 >/dev/null 2>&1 || true
    [ -z "$swarm_is_ours" ] || docker swarm leave --force >/dev/null 2>&1 || true
    [ ${#daemons[@]} = 0 ] || end_daemons
    [ -z "$slurm" ] || rm -rf "$slurm" || echo "left behind: $slurm" >&2
    docker image rm --force "$image" >/dev/null 2>&1 || true
}
# Slurm's controller writes its state once more when it is asked to end: its folder can be removed when it has ended, not before.
end_daemons() {
    local each
    kill "${daemons[@]}" 2>/dev/null || true
    for each in $(seq 100); do
        kill -0 "${daemons[@]}" 2>/dev/null || break
        sleep 0.2
    done
    kill -KILL "${daemons[@]}" 2>/dev/null || true
    wait "${daemons[@]}" 2>/dev/null || true
}
trap cleanup EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }

# 0 and 3 are valid runs, 1 is one whose verdict is bad news, 2 is an invalid one or none. Where three generators, six servers and an
# engine share two cores, one may begin a window too late, which is invalid and no matter here: the table below asks for what is
# wrong beside that. What a run printed is shown where it has no result.
run() {
    local code=0 name=$1 log=$scratch/$1.log
    mkdir -p "$scratch/results/$name"
    chmod 1777 "$scratch/results/$name"
    shift
    "$@" >"$log" 2>&1 || code=$?
    case $code in
    0 | 1 | 3) ;;
    2) compgen -G "$scratch/results/$name/*/result.json" >/dev/null || compgen -G "$scratch/results/shared-*/result.json" >/dev/null ||
        { cat "$log"; fail "$name has no result"; } ;;
    *) cat "$log"; fail "$name ended with $code" ;;
    esac
}

docker build --quiet --target prebuilt --build-arg "BASE=$base" --tag "$image" . >/dev/null

echo "--- Docker Swarm: six nodes and $generators generators, each a container with an address of its own"
[ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = inactive ] ||
    fail "this machine is in a swarm, which is not this script's to use: docker swarm leave, or run it elsewhere"
docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377 >/dev/null
swarm_is_ours=yes
run swarm deploy/swarm.sh "$image" "$generators" "$scenario" "$scratch/results/swarm" "${few[@]}"

echo "--- Docker Compose"
cp compose.yaml "$scratch/"
mkdir -p "$scratch/deploy"
cp deploy/shared.toml "$scratch/deploy/"
"${compose[@]}" --profile tools run --rm -T form >"$scratch/form.log" 2>&1 || { cat "$scratch/form.log"; fail "no cluster by compose"; }
compose_run() {
    GENERATORS=$generators "${compose[@]}" up --detach --no-recreate --scale "generator=$generators" generator
    local code=0 each
    for each in $("${compose[@]}" ps --quiet generator); do
        each=$(docker wait "$each")
        [ "$each" -le "$code" ] || code=$each
    done
    "${compose[@]}" logs --no-color generator
    return "$code"
}
run compose compose_run
# They write beside the file.
mv "$scratch"/results/shared-* "$scratch/results/compose/"
"${compose[@]}" down --volumes --timeout 1 >/dev/null 2>&1

nodes=$("$tool" cluster up --primaries 3 2>/dev/null | grep -o '127\.0\.0\.1:[0-9]*' | head -n 1)

echo "--- one generator, on the cluster of the following ones"
run one "$tool" run "$scenario" --nodes "$nodes" --seed 1 --no-progress --output "$scratch/results/one" "${few[@]}"

echo "--- --generators $generators"
run started "$tool" run "$scenario" --nodes "$nodes" --seed 1 --no-progress --output "$scratch/results/started" "${few[@]}" \
    --generators "$generators"

echo "--- Slurm: a job of $generators tasks on one node"
# Of its own, for munge's user has to reach it.
slurm=$(mktemp -d)
node=$(hostname -s)
# Below the ports that the kernel gives to connections: the tests beside this open thousands, and one may be Slurm's just then.
read -r controller_port daemon_port < <(python3 .ci/engines.py ports 2)
mkdir -p "$slurm/spool" "$slurm/state" "$slurm/run"
printf 'not a secret, for one machine and one test' | sha512sum | head -c 64 >"$slurm/key"
chown munge: "$slurm/key" "$slurm/run"
chmod 400 "$slurm/key"
chmod 755 "$slurm" "$slurm/run"
cat >"$slurm/slurm.conf" <<CONF
ClusterName=reclaim-bench
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/run/munge.socket
CredType=cred/munge
SlurmctldPort=$controller_port
SlurmdPort=$daemon_port
SlurmctldParameters=enable_configless
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=15 State=UP OverSubscribe=FORCE
CONF
export SLURM_CONF=$slurm/slurm.conf
su munge -s /bin/sh -c "exec munged --foreground --key-file '$slurm/key' --socket '$slurm/run/munge.socket' \
    --pid-file '$slurm/run/munged.pid' --log-file '$slurm/run/munged.log' --seed-file '$slurm/run/seed'" >"$slurm/munged.out" 2>&1 &
daemons+=($!)
for _ in $(seq 50); do [ -S "$slurm/run/munge.socket" ] && break; sleep 0.2; done
slurmctld -D -f "$SLURM_CONF" >"$slurm/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D -f "$SLURM_CONF" -N "$node" >"$slurm/slurmd.log" 2>&1 &
daemons+=($!)
for _ in $(seq 60); do [ "$(sinfo --noheader --format %T 2>/dev/null)" = idle ] && break; sleep 1; done
[ "$(sinfo --noheader --format %T)" = idle ] || { tail -n 20 "$slurm"/*.log; fail "Slurm's node is not idle"; }
RECLAIM_BENCH=$tool SRUN_OPTIONS=--overcommit run slurm sbatch --wait --ntasks "$generators" --overcommit --chdir "$scratch" \
    --output "$scratch/slurm-job.log" --export ALL "$root/deploy/slurm.sbatch" run "$scenario" --nodes "$nodes" --seed 1 \
    --output "$scratch/results/slurm" "${few[@]}"

echo "--- Kubernetes: manifests against its schema, and the Job's command with its variables"
python3 -m venv "$scratch/validate"
"$scratch/validate/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
"$scratch/validate/bin/kubernetes-validate" --strict --quiet deploy/kubernetes.yaml
kubernetes_run() {
    local index code=0 pids=()
    for index in $(seq 0 $((generators - 1))); do
        python3 .ci/engines.py kubernetes "$index" "$tool" "$nodes" "$scratch/results/kubernetes" "${few[@]}" &
        pids+=($!)
    done
    for index in "${pids[@]}"; do
        wait "$index" || { local each=$?; [ "$each" -le "$code" ] || code=$each; }
    done
    return "$code"
}
run kubernetes kubernetes_run

python3 .ci/engines.py table "$generators" "$scratch/results" swarm compose one started slurm kubernetes
