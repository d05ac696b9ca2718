#!/usr/bin/env bash
# editors.sh DIR: fills DIR/bin with Neovim, Helix and Emacs from Debian 13 (trixie), on any Debian or Ubuntu, x86-64.
#
# Their packages, with every library down to libc, are unpacked into DIR/tree and never meet the machine's own.
# Needs no root. DEBIAN_MIRROR names a mirror where apt's own sources hold none of Debian (on Ubuntu).
set -euo pipefail

fail() { echo "editors: $1" >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || fail "made for Linux on x86-64 only"
top=$(readlink -m "$1") tree=$top/tree work=$top/work
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || fail "Debian's archive keys are missing: install the package debian-archive-keyring"

# Both of apt's source formats name the mirror; security and update archives live elsewhere and do not match.
mirror=${DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
  mirror=$(find /etc/apt -maxdepth 2 \( -name '*.list' -o -name '*.sources' \) -exec cat {} + |
    grep -oE '^(deb|URIs:) .*' | grep -oE '[a-z+]+://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true)
fi
[ -n "$mirror" ] || fail "apt's sources name no Debian mirror; set DEBIAN_MIRROR to one (its URL ends in /debian)"

# A private apt: its list of installed packages is empty, so it fetches everything, and its only source is trixie.
# Of the machine's own settings it takes those for the network.
mkdir -p "$tree" "$top/bin" "$work/lists/partial" "$work/archives/partial"
touch "$work/installed"
echo "deb [signed-by=$keys arch=amd64] $mirror trixie main" > "$work/trixie.list"
{
  apt-config dump Acquire
  while read -r name value; do echo "$name \"$value\";"; done <<SETTINGS
Dir::Etc::main /dev/null
Dir::Etc::parts /dev/null
Dir::Etc::preferences /dev/null
Dir::Etc::preferencesparts /dev/null
Dir::Etc::sourceparts /dev/null
Dir::Etc::sourcelist $work/trixie.list
Dir::State::status $work/installed
Dir::State::lists $work/lists
Dir::State $work
Dir::Cache::archives $work/archives
Dir::Cache $work
APT::Architecture amd64
APT::Install-Recommends false
APT::Sandbox::User
Acquire::Languages none
Debug::NoLocking 1
SETTINGS
  echo 'APT::Architectures { "amd64"; };'
} > "$work/apt.conf"
export APT_CONFIG=$work/apt.conf
apt-get -qq update || fail "$mirror could not be read"
apt-get -qq -y --download-only install neovim hx emacs-nox patchelf > "$work/log" || fail "the packages could not be fetched: $(tail -n 3 "$work/log")"

# Packages still carry files for /bin and /lib, which are links into /usr.
for name in bin sbin lib lib64; do
  mkdir -p "$tree/usr/$name"
  ln -s "usr/$name" "$tree/$name"
done
find "$work/archives" -name '*.deb' -print0 | while IFS= read -r -d '' package; do
  dpkg-deb --fsys-tarfile "$package" | tar --extract --directory "$tree" --keep-directory-symlink --no-same-owner
done

# Each program gets the unpacked loader and library path written into it. Starting it through the loader would not do:
# Neovim starts itself a second time by the name of its running program, and that would be the loader.
libraries=$tree/usr/lib/x86_64-linux-gnu
loader=$libraries/ld-linux-x86-64.so.2
for program in bin/nvim lib/hx/hx bin/emacs-nox; do
  file=$(readlink -f "$tree/usr/$program")
  cp "$file" "$work/patched"
  "$loader" --library-path "$libraries" "$tree/usr/bin/patchelf" \
    --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$work/patched"
  mv "$work/patched" "$file"
done

# They look for their data under /usr, so each is told where it lies.
wrap() { printf '#!/bin/sh\n%s\n' "$2" > "$top/bin/$1"; chmod +x "$top/bin/$1"; }
wrap nvim "VIMRUNTIME='$tree/usr/share/nvim/runtime' exec '$tree/usr/bin/nvim' --cmd 'set rtp+=$tree/usr/lib/nvim' \"\$@\""
wrap hx "HELIX_RUNTIME='$tree/usr/lib/hx/runtime' exec '$tree/usr/lib/hx/hx' \"\$@\""
share=$(echo "$tree"/usr/share/emacs/[0-9]*) exec=$(echo "$tree"/usr/libexec/emacs/[0-9]*/x86_64-linux-gnu)
lisp=$(find "$share/lisp" -type d -not -path '*/obsolete*' | sort | paste -sd:)
wrap emacs "export EMACSDATA='$share/etc/' EMACSDOC='$share/etc/' EMACSPATH='$exec' EMACSLOADPATH='$lisp'
exec '$tree/usr/bin/emacs-nox' --dump-file='$(echo "$exec"/emacs-*.pdmp)' \"\$@\""

rm -rf "$work"
for program in nvim hx emacs; do
  version=$("$top/bin/$program" --version) || fail "$program does not start"
  head -n 1 <<< "$version"
done
