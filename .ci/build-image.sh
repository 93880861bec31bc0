#!/bin/sh
# Builds a container image with a shell and valkey-server from Debian packages, without a registry; prints its name.
set -eu
image=reclaim-bench-valkey:test
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
"$(dirname "$0")/debian-rootfs.sh" "$root" busybox-static valkey-server valkey-tools \
    libc6 libgcc-s1 libstdc++6 libatomic1 libjemalloc2 liblzf1 libssl3 \
    libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblzma5 libzstd1 liblz4-1
mkdir -p "$root/tmp" "$root/bin"
# In /bin or in /usr/bin, by release.
busybox=$(find "$root" -type f -path '*bin/busybox')
for name in sh mkdir; do ln -sf "${busybox#"$root"}" "$root/bin/$name"; done
chmod 755 "$root"
chmod 1777 "$root/tmp"
tar -C "$root" -c . | docker import --change 'ENV PATH=/usr/bin:/bin' - "$image" >/dev/null
echo "$image"
