"""Puts into the tutorials what their own commands print on their own files."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).parent
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```\n", flags=re.DOTALL)
_CODE = re.compile(r"<!-- code: (\w+) -->\n```python\n(.*?)```\n", flags=re.DOTALL)
_OUTPUT = re.compile(r"<!-- output: (\w+) -->\n(?:```\n.*?```\n)?", flags=re.DOTALL)


def first_review() -> str:
    """The first tutorial: three small files."""
    return _made("first-review.md", "riverton", lambda folder: _run("init", "riverton", folder))


def first_survey() -> str:
    """The second tutorial: the synthetic city's survey."""
    return _made("first-survey.md", "sanvera", sanvera)


def sanvera(work: Path) -> None:
    """The synthetic city's survey and districts in a folder of their own, as the tutorial's reader copies them."""
    from safercities.demo import survey, survey_file, write
    from safercities.demo.city import SEED, YEARS
    from safercities.demo.residents import waves

    folder = work / "sanvera"
    folder.mkdir()
    survey_file.write_survey(folder, survey.draw_survey(SEED, waves(YEARS)), SEED)
    write.write_boundaries(folder)


def files_of(name: str, folder: Path) -> None:
    """Write the files that a tutorial's reader copies."""
    page = (DOCS / "tutorial" / name).read_text(encoding="utf-8")
    for file, content in _FILE.findall(page):
        (folder / file).write_text(content, encoding="utf-8")


def _made(name: str, folder: str, begin: Callable[[Path], object]) -> str:
    """A tutorial as it stands, with the outputs that its commands and its Python give on its files."""
    page = (DOCS / "tutorial" / name).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        begin(work)
        files_of(name, work / folder)
        code, said = dict(_CODE.findall(page)), _Python(work)

        def output(found: re.Match[str]) -> str:
            what = found[1]
            printed = said.run(code[what]) if what in code else _run(what, folder, work)
            return f"<!-- output: {what} -->\n```\n{printed}```\n"

        return _OUTPUT.sub(output, page)


class _Python:
    """Runs the tutorial's Python piece by piece, as a reader does in one session."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.names: dict[str, object] = {}

    def run(self, code: str) -> str:
        """What a piece prints."""
        printed = io.StringIO()
        with contextlib.chdir(self.work), contextlib.redirect_stdout(printed):
            exec(code, self.names)  # noqa: S102 - our own page
        return printed.getvalue()


def _run(command: str, folder: str, work: Path) -> str:
    """What a command prints for a tutorial's folder, remarks (standard error) before results, as on a terminal."""
    call = [sys.executable, "-m", "safercities", command, folder]
    environment = os.environ | {"PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603 - our own program
        call, cwd=work, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise RuntimeError(f"safercities {command} failed: {done.stderr}")
    return done.stderr + done.stdout
