#!/bin/sh
# Makes .venv with exactly what requirements.lock names (hashes checked), and the project in editable form.
# With a word (spark, bench): puts what requirements-<word>.lock names into it as well.
# Uses uv where it is installed, else the venv and pip that come with Python; says what to do where Python lacks them.
set -eu
python=${PYTHON:-python3}
unset PYTHONDONTWRITEBYTECODE || true

install() { # arguments of pip install
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --compile-bytecode --python .venv/bin/python "$@"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
    fi
}

if [ $# -gt 0 ]; then
    rm -f ".venv/.$1"
    echo "Installing what requirements-$1.lock names into .venv (once) …"
    install --no-deps --require-hashes -r "requirements-$1.lock"
    touch ".venv/.$1"
    exit
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "safercities needs Python 3.11 or newer as $python (set PYTHON=… to name another)." >&2
    exit 1
}
rm -f .venv/.ready
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing --python "$python" .venv
else
    if [ ! -x .venv/bin/python ]; then
        "$python" -m venv .venv || {
            rm -rf .venv
            echo "Python lacks its venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2
            exit 1
        }
    fi
    echo "Installing what requirements.lock names into .venv (once; a minute or two) …"
fi
install --require-hashes -r requirements.lock
install --no-deps --no-build-isolation -e .
touch .venv/.ready
