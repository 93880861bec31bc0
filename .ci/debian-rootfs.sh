#!/bin/sh
# Unpacks Debian packages into a directory without installing them: debian-rootfs.sh DIR PACKAGE...
# Takes the machine's own package sources, extended by the release's backports, where Valkey is for Debian 12.
set -eu
dir=$1
shift
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir" "$work/parts" "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"

for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ -f "$list" ] || continue
    sed -E "s/^(Suites:.*\b$codename)( .*)?$/\1\2 $codename-backports/; \
            s/^(deb .* )$codename( .*)$/\1$codename\2\n\1$codename-backports\2/" "$list" \
        > "$work/parts/$(basename "$list" | sed 's/sources.list$/debian.list/')"
done
# A suite that ends in -security or -updates alone got nothing added: it is another word.

apt() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= "$@" >&2
}
apt update
(cd "$work/debs" && apt download "$@")
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$dir"; done
