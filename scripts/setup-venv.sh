#!/bin/sh
# Makes .venv with exactly what requirements.lock names (hashes checked), and the project in editable form.
# Uses uv where it is installed, else the venv and pip that come with Python; says what to do where Python lacks them.
set -eu
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "safercities needs Python 3.11 or newer as $python (set PYTHON=… to name another)." >&2
    exit 1
}
unset PYTHONDONTWRITEBYTECODE || true
rm -f .venv/.ready
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing --python "$python" .venv
    uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements.lock
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
else
    if [ ! -x .venv/bin/python ]; then
        "$python" -m venv .venv || {
            rm -rf .venv
            echo "Python lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2
            exit 1
        }
    fi
    echo "Installing what requirements.lock names into .venv (once; a minute or two) …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
touch .venv/.ready
