#!/bin/sh
# Several generators of one run as a job of Docker Swarm, on a cluster of six nodes that is made for it and removed afterwards:
#
#   deploy/swarm.sh IMAGE GENERATORS SCENARIO RESULTS [OPTION OF run...]
#
# The machine must be a manager of a swarm (`docker swarm init`). Nodes and generators are containers with addresses of their own on
# an overlay network, wherever the swarm puts them. RESULTS is a directory on each machine: the result is where the part that leads
# ran. With NODES=HOST:PORT the cluster is one that is there, which the swarm's containers reach.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
image=$1 generators=$2 scenario=$3 results=$(realpath "$4")
shift 4
name=reclaim-bench-$$
# Longest wait for all generators, in seconds.
limit=${LIMIT:-900}

cleanup() {
    docker service rm "$name-generators" "$name-nodes" >/dev/null 2>&1 || true
    # A job's containers stay on its machines when it is removed; this one's at least do not.
    docker ps --all --quiet --filter "label=com.docker.swarm.service.name=$name-generators" | xargs -r docker rm --force >/dev/null
    docker config rm "$name-scenario" >/dev/null 2>&1 || true
    # A network stays in use until the last container has gone.
    for _ in $(seq 60); do
        docker network rm "$name" >/dev/null 2>&1 && break
        docker network inspect "$name" >/dev/null 2>&1 || break
        sleep 1
    done
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

docker network create --driver overlay --attachable "$name" >/dev/null
if [ -z "${NODES:-}" ]; then
    docker service create --quiet --name "$name-nodes" --replicas 6 --endpoint-mode dnsrr --network "$name" \
        --entrypoint valkey-server "$image" --cluster-enabled yes --protected-mode no --save '' \
        --repl-diskless-sync-delay 0 >/dev/null
    docker run --rm --network "$name" --volume "$here/form.sh:/form.sh:ro" --entrypoint sh "$image" /form.sh \
        "tasks.$name-nodes"
    NODES=tasks.$name-nodes:6379
fi

docker config create "$name-scenario" "$scenario" >/dev/null
# One that fails is not to be started again: the others have named it, and the run is over. Engine 20.10 does it all the same, so the
# job is removed once as many have ended. Numbers are taken on the cluster, since a task's slot is not always a number there.
docker service create --quiet --detach --name "$name-generators" --mode replicated-job --replicas "$generators" \
    --max-concurrent "$generators" --restart-condition none --network "$name" \
    --config "source=$name-scenario,target=/scenario.toml" --mount "type=bind,src=$results,dst=/results" \
    --env "RECLAIM_BENCH_NODES=$NODES" --env "RECLAIM_BENCH_RENDEZVOUS=$name" "$image" \
    run /scenario.toml --part "auto/$generators" --rendezvous-wait 60s --seed 1 --no-progress --output /results "$@" >/dev/null

over() { docker service ps --format '{{.CurrentState}}' "$name-generators" | grep -cE '^(Complete|Failed|Rejected|Shutdown)' || true; }
waited=0
until [ "$(over)" -ge "$generators" ]; do
    [ "$waited" -lt "$limit" ] || { echo "not all generators have ended within $limit s" >&2; break; }
    sleep 1
    waited=$((waited + 1))
done
docker service logs --raw "$name-generators"
# The leader's exit code is the run's, that of the others 0.
code=0
for task in $(docker service ps --quiet "$name-generators"); do
    ended=$(docker inspect --format '{{with .Status.ContainerStatus}}{{.ExitCode}}{{else}}2{{end}}' "$task")
    [ "$ended" -le "$code" ] || code=$ended
done
exit "$code"
