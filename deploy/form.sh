#!/bin/sh
# Makes one cluster of six nodes that have a common name: form.sh NAME [PORT]. For networks where a name has every node's address
# (`tasks.SERVICE` of Docker Swarm, a headless Service of Kubernetes). Does nothing where they are a cluster already.
set -eu
name=$1 port=${2:-6379} nodes=6
addresses() { getent ahostsv4 "$name" 2>/dev/null || busybox nslookup "$name" 2>/dev/null || true; }
# Whatever lists them; the name server's own address has its port behind it.
found() { addresses | sed -n 's/^\(Address: *\)\{0,1\}\([0-9][0-9.]*\)\([[:space:]].*\)\{0,1\}$/\2/p' | sort -u; }
count() { set -- $(found); echo $#; }

until [ "$(count)" = "$nodes" ]; do sleep 1; done
all=$(found)
for node in $all; do until [ "$(valkey-cli -h "$node" -p "$port" ping 2>/dev/null)" = PONG ]; do sleep 1; done; done
is_up() { valkey-cli -h "$1" -p "$port" cluster info | grep -q '^cluster_state:ok'; }
# CLUSTER SLOTS leaves out replicas that are not filled yet.
is_whole() {
    slots=$(valkey-cli -h "$1" -p "$port" cluster slots)
    for listed in $all; do case $slots in *"$listed"*) ;; *) return 1 ;; esac; done
}
set -- $all
# Of the pods of an Indexed Job the first one makes the cluster, the others wait for it.
if ! is_up "$1" && [ "${JOB_COMPLETION_INDEX:-0}" = 0 ]; then
    with_ports=
    for node in $all; do with_ports="$with_ports $node:$port"; done
    # One word for each.
    valkey-cli --cluster create $with_ports --cluster-replicas 1 --cluster-yes >/dev/null
fi
for node in $all; do until is_up "$node" && is_whole "$node"; do sleep 1; done; done
echo "$nodes nodes are one cluster:" $all
