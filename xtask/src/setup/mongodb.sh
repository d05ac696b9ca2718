#!/bin/bash
# A server that speaks MongoDB's wire protocol, in a directory of its own.
# usage: mongodb.sh DIR     then start DIR/secantusd-rs
#
# MongoDB's own server is in none of the package registries that the set-up uses. SecantusDB's has
# what the store asks for: blobs up to 16 MiB, compound indexes, retryable writes, and a kill after
# an acknowledged write. It is GPL-2.0: a process of its own, for tests only, never linked or shipped.
set -euo pipefail
dir=${1:?directory}
mkdir -p "$dir"
python3 -m venv "$dir/venv"
if "$dir/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps 'SecantusDB==0.6.0b17'; then
  ln -sf "$(find "$dir/venv" -name secantusd-rs -type f | head -n 1)" "$dir/secantusd-rs"
else # the wheel is a pre-release and may vanish; the crate builds the storage engine for ten minutes
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check cmake ninja
  PATH=$dir/venv/bin:$PATH cargo install secantus-mdb --version 0.5.3-beta.196 --locked \
    --ignore-rust-version --root "$dir/cargo"
  ln -sf "$dir/cargo/bin/secantusd-rs" "$dir/secantusd-rs"
fi
"$dir/secantusd-rs" --help >/dev/null
