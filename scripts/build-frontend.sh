#!/bin/sh
# Builds frontend/ into the hub's static files, whole or not at all; `check` checks types and style instead.
# Uses the system's Node.js where it is new enough (20.19, or 22.12 and later), else the one of requirements-node.lock in .venv.
set -eu
built=src/safercities/hub/static/hub/built
installed=frontend/node_modules/.ready

fits() {
    command -v npm >/dev/null 2>&1 && node -e '
        const [a, b] = process.versions.node.split(".").map(Number);
        process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1);' 2>/dev/null
}

if ! fits; then
    [ -f .venv/.node ] || sh scripts/setup-venv.sh node
    PATH="$PWD/.venv/bin:$PATH"
    export PATH
    fits || { echo "Neither the system nor .venv has a Node.js that runs here (20.19, or 22.12 and later)." >&2; exit 1; }
fi

# The packages that package-lock.json names, once for each lock and kind of machine.
wanted="$(node -p '[process.platform, process.arch].join(" ")') $(cksum <frontend/package-lock.json)"
if [ "$(cat "$installed" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing what frontend/package-lock.json names (once; half a minute) …"
    (cd frontend && npm ci --no-audit --no-fund --loglevel=error)
    echo "$wanted" >"$installed"
fi

cd frontend
if [ "${1:-}" = check ]; then
    node_modules/.bin/tsc --noEmit
    exec node_modules/.bin/biome check --error-on-warnings .
fi
fresh="../$built.new"
rm -rf "$fresh"
SAFERCITIES_BUILT="$fresh" node_modules/.bin/vite build --logLevel "${LOG:-info}"
rm -rf "../$built"
mv "$fresh" "../$built"
