"""Colours: readable for everybody, in light, dark and print (WCAG 2.2, contrast AA)."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

import safercities.review
from safercities.maps.svg import CIVIDIS

CSS = (Path(safercities.review.__file__).parent / "style.css").read_text(encoding="utf-8")
THEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", CSS, re.S), strict=True))


def tokens(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", THEMES[theme]))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "paper", 7), ("muted", "paper", 4.5), ("muted", "soft", 4.5), ("accent", "paper", 4.5),
        ("accent", "soft", 4.5), ("note-ink", "note", 4.5), ("second", "paper", 4.5), ("line-strong", "paper", 3),
    ],
)  # fmt: skip
def test_contrast(theme, front, back, least):
    found = tokens(theme)
    assert contrast(found[front], found[back]) >= least


@pytest.mark.parametrize("theme", THEMES)
def test_amounts_go_one_way_in_grey(theme):
    found = tokens(theme)
    greys = [luminance(found[f"amount-{step}"]) for step in range(1, 6)]
    steps = [after - before for before, after in pairwise(greys)]
    assert all(step > 0.02 for step in steps) or all(step < -0.02 for step in steps)


def test_the_map_and_the_page_agree_on_the_palette():
    assert tuple(tokens("light")[f"amount-{step}"] for step in range(1, 6)) == CIVIDIS
    assert tokens("print")["amount-5"] == CIVIDIS[-1]


def test_nothing_is_placed_by_left_and_right():
    assert not re.search(r"(margin|padding|border)-(left|right)|[ ;{](left|right):|text-align: (left|right)", CSS)
