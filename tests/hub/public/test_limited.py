"""Files that take a while are made so often for one address and no more; what is kept is given all the same."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from hub.public.made_indicator import CODE, city_folder, mini
from safercities.hub.models import Observatory
from safercities.hub.public import indicator_image

__all__ = ["city_folder", "mini"]
FILE = f"/o/hamlet/i/{CODE}"


@pytest.fixture(autouse=True)
def _two(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OPTIONS = settings.OPTIONS | {"RATE_FILES": "2/d"}
    monkeypatch.setattr(indicator_image, "_kept", indicator_image.Cache(2**24))


def ask(address: str, remote: str = "192.0.2.1") -> Any:
    """The answer to a stranger; nothing comes from the memory of whole answers."""
    client = Client(REMOTE_ADDR=remote)
    client.cookies["other"] = "1"
    return client.get(address)


@pytest.mark.parametrize("ending", ["svg", "csv"])
def test_more_than_the_share_is_refused_and_when_to_come_again_is_said(mini: Observatory, ending: str) -> None:
    codes = [ask(f"{FILE}.{ending}?by=sex:{sex}").status_code for sex in ("F", "M")]
    assert codes == [200, 200]
    answer = ask(f"{FILE}.{ending}?by=sex")
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 86_400
    assert answer["Cache-Control"] == "no-store"
    assert answer["RateLimit-Policy"] == '"default";q=2;w=86400'
    assert "<h1>Too many files at once</h1>" in answer.content.decode()
    assert ask(f"{FILE}.{ending}?by=sex", "192.0.2.2").status_code == 200
    assert ask(f"{FILE}/").status_code == 200


def test_drawings_and_other_files_are_counted_together(mini: Observatory) -> None:
    assert [ask(f"{FILE}.{ending}").status_code for ending in ("csv", "svg", "json")] == [200, 200, 429]


def test_a_drawing_that_is_kept_costs_nothing(mini: Observatory) -> None:
    assert [ask(f"{FILE}.svg").status_code for _ in range(5)] == [200] * 5


def test_what_is_not_there_is_not_counted_and_looks_the_same_as_before(mini: Observatory, hidden: Observatory) -> None:
    codes = [ask(f"/o/{slug}/i/{CODE}.svg").status_code for slug in ("hidden", "nowhere") for _ in range(3)]
    assert set(codes) == {404}
    assert ask(f"{FILE}.svg").status_code == 200
