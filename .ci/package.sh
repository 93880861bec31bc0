#!/usr/bin/env bash
# Packs a built tool with man pages, completions, scenarios and licence: .ci/package.sh TOOL DIRECTORY. Prints the archive's
# name. Its name says what the tool needs, which is the C library of the machine that built it.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
# Read to its end: who writes to a pipe that grep -q has closed has failed.
"$tool" run --help | grep -- '^ *--live' >/dev/null || { echo "$tool has no --live: it was built without its default features" >&2; exit 1; }
version=$("$tool" --version | cut -d' ' -f2)
host=$(rustc --version --verbose | sed -n 's/^host: //p')
name=reclaim-bench-$version-$host
rm -rf "${out:?}/$name"
mkdir -p "$out/$name/completions" "$out/$name/scenarios"
cp "$tool" README.md LICENSE CHANGELOG.md "$out/$name/"
"$tool" man-pages "$out/$name/man/man1"
for shell in bash zsh fish elvish powershell; do
    "$tool" completions "$shell" >"$out/$name/completions/reclaim-bench.$shell"
done
cp scenarios/*.toml "$out/$name/scenarios/"
# The same content gives the same archive.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C "$out" -czf "$out/$name.tar.gz" "$name"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
