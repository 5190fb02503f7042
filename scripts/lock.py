"""Write the requirements*.lock from pyproject.toml: every platform, hashes, no addresses.

requirements.lock holds what everybody needs. Spark, the peers of the benchmarks and Node.js are large and rarely
needed: each has a file with what it needs beyond requirements.lock, in versions that fit it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

BASE = Path("requirements.lock")
HEADER = "# Made by `make lock` from pyproject.toml: {what}, Python >= 3.11, any platform. Do not edit.\n"
MORE = {"spark": ["--extra", "spark", "pyproject.toml"], "bench": ["--group", "bench"], "node": ["frontend/node.in"]}


def main() -> None:
    """Resolve with uv (fetched by name into the environment where it is missing) and write the files."""
    if subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    extras = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    words = [word for extra in extras if extra != "spark" for word in ("--extra", extra)]
    base = entries(resolve([*words, "pyproject.toml"]))
    write(BASE, "all extras but spark", base)
    for name, words in MORE.items():
        whole = entries(resolve([*words, "--constraint", str(BASE)]))
        known = {package for package, _ in base}
        more = [(package, text) for package, text in whole if package not in known]
        write(Path(f"requirements-{name}.lock"), f"{name}, beyond requirements.lock", more)


def resolve(words: list[str]) -> str:
    """What uv makes of pyproject.toml."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    options = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    result = subprocess.run([*command, *options, *words, *sys.argv[1:]], capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(result.stderr)
    if "://" in result.stdout:
        raise SystemExit("the resolver wrote an address; the lock files must hold none")
    return result.stdout


def entries(text: str) -> list[tuple[str, str]]:
    """Name of each package and its lines; a package may stand there several times, for several Pythons."""
    parts = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return [(re.split(r"[^\w.-]", part)[0], part) for part in parts if part.strip()]


def write(path: Path, what: str, found: list[tuple[str, str]]) -> None:
    """Write a lock file."""
    path.write_text(HEADER.format(what=what) + "".join(text for _, text in found), encoding="utf-8")


if __name__ == "__main__":
    main()
