"""Built scripts and styles in pages: found by the manifest, and a clear word where they are missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

django = pytest.importorskip("django")
from django.core.exceptions import ImproperlyConfigured  # noqa: E402

from safercities.hub import assets  # noqa: E402
from safercities.hub.templatetags.hub_assets import asset as tag  # noqa: E402

MANIFEST = {
    "_shared.js": {"file": "shared-1.js", "css": ["shared-1.css"]},
    "src/charts.ts": {"file": "charts-1.js", "isEntry": True, "imports": ["_shared.js"], "dynamicImports": ["big.ts"]},
    "src/map.ts": {"file": "map-1.js", "isEntry": True, "imports": ["_shared.js"], "css": ["map-1.css"]},
    "big.ts": {"file": "big-1.js", "css": ["big-1.css"]},
}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build of two entries."""
    monkeypatch.setattr(assets, "BUILT", tmp_path)
    monkeypatch.setattr(assets, "settings", type("Settings", (), {"STATIC_URL": "/static/"}))
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    return tmp_path


def test_a_page_names_each_file_once_and_nothing_that_may_not_be_needed(built: Path) -> None:
    assert tag("charts", "map").split("\n") == [
        '<link rel="stylesheet" href="/static/hub/built/shared-1.css">',
        '<link rel="stylesheet" href="/static/hub/built/map-1.css">',
        '<link rel="modulepreload" href="/static/hub/built/shared-1.js">',
        '<script type="module" src="/static/hub/built/charts-1.js"></script>',
        '<script type="module" src="/static/hub/built/map-1.js"></script>',
    ]


def test_another_build_is_noticed(built: Path) -> None:
    assert assets.asset("map").script.endswith("map-1.js")
    text = json.dumps(MANIFEST).replace("map-1.js", "map-22.js")
    (built / "manifest.json").write_text(text, encoding="utf-8")
    assert assets.asset("map").script.endswith("map-22.js")


def test_what_is_missing_is_said(built: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="no entry 'big'; it has charts, map"):
        assets.asset("big")
    (built / "manifest.json").unlink()
    with pytest.raises(ImproperlyConfigured, match="make frontend"):
        assets.asset("map")
