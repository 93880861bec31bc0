#!/usr/bin/env bash
# The pure crate depends on nothing that waits, talks or asks the machine: no runtime, client, sockets, arguments,
# processes. A name that is not in the root's own tree would say nothing: it is refused, so that this list stays true.
set -euo pipefail
cd "$(dirname "$0")/.."
banned=(tokio tokio-util redis clap mio socket2 bollard rustls rustix thread-priority indicatif tempfile)
packages() { cargo tree --locked --prefix none --format '{p}' -e normal -p "$1" | awk '{ print $1 }' | sort -u; }
pure=$(packages reclaim-analysis)
root=$(packages reclaim-bench)
code=0
for name in "${banned[@]}"; do
    if grep -qx -- "$name" <<<"$pure"; then
        echo "reclaim-analysis depends on $name:" >&2
        cargo tree --locked -e normal -p reclaim-analysis -i "$name" >&2
        code=1
    fi
    grep -qx -- "$name" <<<"$root" || { echo "$name is not among the tool's packages any more: take it off the list" >&2; code=1; }
done
[ $code != 0 ] || echo "reclaim-analysis: $(wc -l <<<"$pure") packages, none of ${banned[*]}"
exit $code
