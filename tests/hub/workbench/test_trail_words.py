"""Whatever is written in the trail of an observatory has words: its pages show no code of a verb."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from safercities import hub
from safercities.hub.workbench.history import VERBS

_VERB = re.compile(r"[a-z]+\.[a-z]+_?[a-z]*")
#: Entries that are of no observatory: no page shows them.
OF_THE_HUB = {"demo.role_taken", "hub.restored", "password.link_made"}


def recorded() -> Iterator[str]:
    """Verbs that stand in a call of something named record, or in what such a call chooses from."""
    for path in Path(hub.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "record":
                told = [one for argument in node.args for one in ast.walk(argument)]
            elif isinstance(node, ast.Assign) and re.search(
                r"verb|announced", ast.unparse(node.targets[0]), re.IGNORECASE
            ):
                told = list(ast.walk(node.value))
            else:
                continue
            for one in told:
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and _VERB.fullmatch(one.value):
                    yield one.value


def test_every_verb_of_the_trail_has_words() -> None:
    found = set(recorded())
    assert found >= {"file.uploaded", "webhook.switched_off", "release.published"}
    assert sorted(found - OF_THE_HUB - set(VERBS)) == []
