"""Publication rules as data: conditions on what is known of an estimate, read from `schemes/*.toml`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from safercities.model.errors import UsageError, problem
from safercities.model.quality import FLAGS
from safercities.model.spec import Spec, parse

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Kind = Literal["proportion", "mean", "total", "ratio", "rate", "quantile"]
Verdict = Literal["publish", "warn", "withhold"]
Measure = Literal[
    "value",
    "se",
    "n",
    "n_positive",
    "n_effective",
    "df",
    "deff",
    "cv",
    "log_cv",
    "width",
    "relative_width",
    "complement_width",
    "extreme",
]
#: Verdicts from mild to severe: the severest of the rules that an estimate breaks is its own.
VERDICTS: tuple[Verdict, ...] = ("publish", "warn", "withhold")
#: Measures that should be small: the upper end of a band is then no figure to ask for.
_LOW_IS_GOOD = frozenset({"se", "cv", "log_cv", "width", "relative_width", "complement_width", "extreme"})
_FOLDER = files(__package__).joinpath("schemes")


class Bounds(Spec):
    """A condition on one measure; it holds where all bounds that are given hold. NaN never holds."""

    measure: Measure
    at_least: float | None = Field(None, alias="from")
    below: float | None = None
    above: float | None = None
    up_to: float | None = None

    def holds(self, x: Floats) -> Mask:
        """Where the condition holds, shape of `x`."""
        held = ~np.isnan(x)
        if self.at_least is not None:
            held &= x >= self.at_least
        if self.below is not None:
            held &= x < self.below
        if self.above is not None:
            held &= x > self.above
        if self.up_to is not None:
            held &= x <= self.up_to
        return held


class Curve(Spec):
    """A limit that depends on a proportion: p (1 − p above one half) to a power, as [2, 3] for 2/3, over a divisor."""

    power: tuple[int, int]
    divisor: float

    def at(self, p: Floats) -> Floats:
        """The limit at each proportion."""
        return np.asarray(np.clip(np.minimum(p, 1 - p), 0, None) ** (self.power[0] / self.power[1]) / self.divisor)


class Rule(Bounds):
    """What an estimate must not be: where the bounds hold, the rule is broken and gives its verdict and flag."""

    verdict: Literal["warn", "withhold"]
    flag: str
    kinds: tuple[Kind, ...] = ()
    where: tuple[Bounds, ...] = ()
    above_curve: Curve | None = None

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        bounds = (self.at_least, self.below, self.above, self.up_to, self.above_curve)
        if all(bound is None for bound in bounds):
            raise ValueError("a rule needs a bound: from, below, above, up_to or above_curve")
        if self.flag not in FLAGS:
            raise ValueError(f"{self.flag} is no quality flag")
        return self

    def broken(self, x: Floats, value: Floats) -> Mask:
        """Where the measure `x` of estimates of this value breaks the rule, apart from its `where`."""
        if self.above_curve:
            return np.asarray(self.holds(x) & (x > self.above_curve.at(value)))
        return self.holds(x)

    def asked(self, value: Floats) -> tuple[str, Floats]:
        """What it asks for: a word before the figure, and the figure for each estimate."""
        if self.above_curve:
            return "at most ", self.above_curve.at(value)
        sides = [("at most ", self.above), ("", self.below), ("less than ", self.at_least), ("more than ", self.up_to)]
        if self.measure in _LOW_IS_GOOD:
            sides = [sides[0], sides[2], ("at least ", self.below), sides[3]]
        word, limit = next((word, limit) for word, limit in sides if limit is not None)
        return word, np.full(value.shape, limit)


class Origin(Spec):
    """Who made the rules, and where they are printed."""

    authors: str
    title: str
    institution: str
    year: int | None = None


class Scheme(Spec):
    """A named set of publication rules. `checked` says how well it is known to agree with the printed text."""

    name: str = ""
    family: str
    label: str
    kinds: tuple[Kind, ...]
    checked: str
    source: Origin
    rules: tuple[Rule, ...]

    def rules_for(self, kind: str) -> tuple[Rule, ...]:
        """Its rules for one kind of estimate, in order."""
        return tuple(rule for rule in self.rules if kind in self.kinds and kind in (rule.kinds or self.kinds))


@cache
def schemes() -> Mapping[str, Scheme]:
    """All publication rules that ship with safercities, by name.

    Examples
    --------
    >>> schemes()["dhs-counts"].label
    'DHS, number of unweighted cases'
    """
    entries = sorted(_FOLDER.iterdir(), key=lambda entry: entry.name)
    return MappingProxyType(
        {
            name: load_scheme(entry.read_text(encoding="utf-8"), name)
            for entry in entries
            if (name := entry.name.removesuffix(".toml")) != entry.name
        }
    )


def load_scheme(text: str, name: str) -> Scheme:
    """Read publication rules from TOML text, for rules of one's own: pass the result to `judge`.

    Raises
    ------
    SafercitiesError
        If a key is unknown, missing or wrong.

    Examples
    --------
    >>> load_scheme('family = "ours"', "ours")
    Traceback (most recent call last):
    ...
    safercities.model.errors.SafercitiesError: ours.toml:label: ...
    """
    return parse(Scheme, {**tomllib.loads(text), "name": name}, file=f"{name}.toml", text=text)


def find_scheme(given: str, kind: str = "proportion") -> Scheme:
    """The rules of this name, the newest of it without its year, or those of a family that have rules for this kind.

    Raises
    ------
    UsageError
        If there is no such name.

    Examples
    --------
    >>> [find_scheme(name, "total").name for name in ("eclac", "nchs", "eclac-2020")]
    ['eclac-2023', 'nchs-rates-2023', 'eclac-2020']
    """
    found = [scheme for scheme in schemes().values() if given in _names(scheme)]
    if not found:
        known = sorted({name for scheme in schemes().values() for name in _names(scheme)})
        near = difflib.get_close_matches(given.casefold(), known, n=1, cutoff=0.3) or known[:1]
        raise UsageError(problem("scheme-unknown", given=given, near=near[0], known=", ".join(schemes())))
    return max(found, key=lambda scheme: (kind in scheme.kinds, scheme.source.year or 0))


def _names(scheme: Scheme) -> tuple[str, str, str]:
    """What a scheme may be called: its name, its name without the year, its family."""
    return scheme.name, re.sub(r"-\d{4}$", "", scheme.name), scheme.family
