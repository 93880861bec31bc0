#!/bin/sh
# Unpacks Debian's own valkey-server into DIR and prints the path of a command that runs it.
set -eu
dir=$(mkdir -p "$1" && cd "$1" && pwd)
"$(dirname "$0")/debian-rootfs.sh" "$dir/root" valkey-tools libjemalloc2 liblzf1 libatomic1
# Its libraries need not be installed on this machine.
cat > "$dir/valkey-server" <<END
#!/bin/sh
LD_LIBRARY_PATH=$(dirname "$(find "$dir/root" -name 'liblzf.so.1' | head -n 1)") exec "$dir/root/usr/bin/valkey-server" "\$@"
END
chmod +x "$dir/valkey-server"
echo "$dir/valkey-server"
