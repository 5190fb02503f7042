"""Write requirements.lock from pyproject.toml: every extra, every platform, hashes, no addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEADER = "# Made by `make lock` from pyproject.toml: all extras, Python >= 3.11, any platform. Do not edit.\n"


def main() -> None:
    """Resolve with uv (fetched by name into the environment where it is missing) and write the file."""
    if subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    options = ["--all-extras", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    options += ["--no-emit-find-links", *sys.argv[1:]]
    result = subprocess.run([*command, *options, "pyproject.toml"], check=True, capture_output=True, text=True)
    if "://" in result.stdout:
        raise SystemExit("the resolver wrote an address; the lock file must hold none")
    Path("requirements.lock").write_text(HEADER + result.stdout, encoding="utf-8")


if __name__ == "__main__":
    main()
