#!/bin/sh
# Unpacks Debian's own Valkey into DIR and prints the path of its server, a link of the package's own. What the server
# links to must be installed: libjemalloc2 liblzf1 libatomic1.
set -eu
dir=$(mkdir -p "$1" && cd "$1" && pwd)
"$(dirname "$0")/debian-rootfs.sh" "$dir" valkey-server valkey-tools
echo "$dir/usr/bin/valkey-server"
