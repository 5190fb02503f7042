"""Publication rules: named sets of them as data, and what they say of estimates: publish, warn or withhold, and why."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, NamedTuple

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
_FOLDER = files(__package__).joinpath("schemes")


class _Words(NamedTuple):
    """How a measure is said: the figure in a sentence, its bare name, how many times it is shown, its unit."""

    sentence: str
    name: str
    times: float = 1
    unit: str = ""


_WORDS: Mapping[str, _Words] = {
    "value": _Words("The value is {}", "value"),
    "se": _Words("Standard error of {}", "standard error", 100, " percentage points"),
    "n": _Words("{} respondents", "number of respondents"),
    "n_positive": _Words("{} respondents said yes", "number of respondents who said yes"),
    "n_effective": _Words("Worth {} independent respondents", "effective number of respondents"),
    "df": _Words("{} degrees of freedom", "degrees of freedom"),
    "deff": _Words("Design effect of {}", "design effect"),
    "cv": _Words("Standard error of {} of the value", "coefficient of variation", 100, " %"),
    "log_cv": _Words("Standard error of {} of the logarithm", "logarithmic coefficient of variation", 100, " %"),
    "width": _Words("Interval of {}", "interval", 100, " percentage points"),
    "relative_width": _Words("Interval as wide as {} of the value", "interval", 100, " %"),
    "complement_width": _Words("Interval as wide as {} of the complement", "interval", 100, " %"),
    "extreme": _Words("{}", "share"),
}


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
    """A limit that depends on a proportion: p to a power (numerator, denominator) over a divisor; 1 − p above one half."""

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

    def broken(self, measures: _Measures) -> Mask:
        """Where the rule is broken."""
        x = measures.of(self.measure)
        if self.above_curve:
            return np.asarray(self.holds(x) & (x > self.above_curve.at(measures.facts.value)))
        return self.holds(x)

    def asked(self, measures: _Measures) -> tuple[str, Floats]:
        """What it asks for: a word before the figure, and the figure for each estimate."""
        if self.above_curve:
            return "at most ", self.above_curve.at(measures.facts.value)
        word, limit = next(
            (word, limit)
            for word, limit in (("at most ", self.above), ("", self.below), ("less than ", self.at_least))
            if limit is not None and not (word == "" and self.measure in _LOW_IS_GOOD)
        )
        return word, np.full(measures.facts.value.shape, limit)


#: Measures that should be small: the upper end of a band is then no figure to ask for.
_LOW_IS_GOOD = frozenset({"se", "cv", "log_cv", "width", "relative_width", "complement_width", "extreme"})


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


@dataclass(frozen=True)
class Facts:
    """What rules may ask of estimates of one kind: arrays of one shape (K,); NaN where a thing is not known.

    Parameters
    ----------
    kind
        What is estimated.
    value, se, lower, upper
        Estimates, standard errors, limits. Proportions run from 0 to 1 here, not to 100.
    n, n_positive
        Unweighted respondents with a usable answer, and those of them in the numerator.
    n_effective, df, deff
        Effective sample size, degrees of freedom, design effect.
    """

    kind: Kind
    value: Floats
    se: Floats
    lower: Floats
    upper: Floats
    n: Floats
    n_positive: Floats
    n_effective: Floats
    df: Floats
    deff: Floats

    @property
    def extreme(self) -> Mask:
        """Where nobody, or everybody, is in the numerator: the standard error is then 0 and says nothing."""
        none = self.n_positive == 0
        if self.kind != "proportion":
            return none
        return none | (self.n_positive == self.n) | (self.value <= 0) | (self.value >= 1)


class Judgement(NamedTuple):
    """What a scheme says of K estimates.

    `verdict` is "publish", "warn", "withhold", or None where the scheme has no rule for this kind of estimate; `flags` are
    quality flags separated by a space; `reasons` are sentences with the figures, empty where no rule is broken.
    """

    scheme: str
    verdict: NDArray[np.object_]
    flags: list[str]
    reasons: list[str]


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


def judge(scheme: str | Scheme, facts: Facts) -> Judgement:
    """What publication rules say of estimates. The severest rule that an estimate breaks decides; all give their reason.

    What a rule asks for and is not known counts as not met. Only where nobody, or everybody, is in the numerator, and a rule
    asks for what rests on the standard error, the verdict is a warning: the rule cannot judge there.

    Parameters
    ----------
    scheme
        A name (see `find_scheme`), or rules of one's own.
    facts
        Estimates of one kind, with what is known of them.

    Raises
    ------
    UsageError
        If there are no rules of this name.

    Examples
    --------
    >>> two = [np.array(pair, dtype=float) for pair in (
    ...     (0.25, 0.40), (0.09, 0.02), (0.1, 0.36), (0.5, 0.44), (24, 900), (6, 360), (22, 600), (11, 80), (1.1, 1.5))]
    >>> says = judge("nchs", Facts("proportion", *two))
    >>> says.verdict.tolist(), says.flags
    (['withhold', 'publish'], ['few_respondents low_effective_n wide_interval', ''])
    >>> says.reasons[0].split(". ")[0]
    '24 respondents; nchs-proportions-2017 asks for 30'
    """
    rules = find_scheme(scheme, facts.kind) if isinstance(scheme, str) else scheme
    if facts.kind not in rules.kinds:
        return Judgement(rules.name, np.full(facts.value.shape, None), [""] * facts.value.size, [""] * facts.value.size)
    measures, tally = _Measures(facts), _Tally.empty(facts.value.size)
    for rule in rules.rules_for(facts.kind):
        where = _all_hold(rule.where, measures)
        hit = np.flatnonzero(where & rule.broken(measures))
        tally.add(hit, rule.verdict, rule.flag, _sentences(rule, rules.name, hit, measures))
    _unknown(rules, measures, tally)
    return Judgement(rules.name, *tally.result())


class _Measures:
    """The measures that rules speak of, each worked out once from the facts. NaN where not known."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._known: dict[str, Floats] = {}

    def of(self, name: str) -> Floats:
        """One measure for each estimate."""
        if name not in self._known:
            with np.errstate(all="ignore"):
                self._known[name] = np.asarray(self._work_out(name), dtype=np.float64)
        return self._known[name]

    def _work_out(self, name: str) -> Floats | Mask:
        facts, value = self.facts, self.facts.value
        width = facts.upper - facts.lower
        match name:
            case "extreme":
                return facts.extreme
            case "width":
                return width
            case "relative_width":
                return width / np.abs(value)
            case "complement_width":
                return width / (1 - value)
            case "se" | "cv" | "log_cv":
                return np.where(facts.extreme, np.nan, facts.se / self._base(name))
        return np.asarray(getattr(facts, name))

    def _base(self, name: str) -> Floats:
        """What the standard error is taken as a part of: 1, the value, or the value on the logarithmic scale."""
        value = self.facts.value
        if name == "log_cv":
            rarer = np.minimum(value, 1 - value)
            return np.asarray(-np.log(rarer) * rarer)
        return np.abs(value) if name == "cv" else np.ones_like(value)


@dataclass(frozen=True)
class _Tally:
    """What has been found so far: severity (K,), a bit for each flag (K,), sentences by estimate."""

    severity: NDArray[np.int8]
    flags: NDArray[np.int64]
    reasons: list[str]

    @classmethod
    def empty(cls, size: int) -> _Tally:
        return cls(np.zeros(size, np.int8), np.zeros(size, np.int64), [""] * size)

    def add(self, hit: NDArray[np.intp], verdict: str, flag: str, sentences: Sequence[str]) -> None:
        self.severity[hit] = np.maximum(self.severity[hit], VERDICTS.index(verdict))
        self.flags[hit] |= 1 << list(FLAGS).index(flag)
        for index, sentence in zip(hit.tolist(), sentences, strict=True):
            said = self.reasons[index]
            self.reasons[index] = f"{said}. {sentence}" if said else sentence

    def result(self) -> tuple[NDArray[np.object_], list[str], list[str]]:
        bits, which = np.unique(self.flags, return_inverse=True)
        texts = [" ".join(flag for place, flag in enumerate(FLAGS) if bit >> place & 1) for bit in bits.tolist()]
        verdicts = np.array(VERDICTS, dtype=object)[self.severity]
        return verdicts, [texts[index] for index in which.tolist()], self.reasons


def _unknown(rules: Scheme, measures: _Measures, tally: _Tally) -> None:
    """What a rule asks for and is not known: a warning where nobody or everybody said yes, else the rule's verdict."""
    extreme = measures.facts.extreme
    asking: dict[str, list[Rule]] = {}
    for rule in rules.rules_for(measures.facts.kind):
        asking.setdefault(rule.measure, []).append(rule)
    for name, those in asking.items():
        unknown = np.isnan(measures.of(name)) & np.any([_all_hold(rule.where, measures) for rule in those], axis=0)
        hit, severest = np.flatnonzero(unknown & ~extreme), max(those, key=lambda rule: VERDICTS.index(rule.verdict))
        sentence = f"Its {_WORDS[name].name} is not known; {rules.name} asks for it"
        tally.add(hit, severest.verdict, severest.flag, [sentence] * hit.size)
        hit = np.flatnonzero(unknown & extreme)
        cannot = f"; {rules.name} cannot judge it by its {_WORDS[name].name}"
        tally.add(hit, "warn", "zero_or_full", [text + cannot for text in _who(measures.facts, hit)])


def _all_hold(conditions: Sequence[Bounds], measures: _Measures) -> Mask:
    held = np.ones(measures.facts.value.shape, dtype=bool)
    for condition in conditions:
        held &= condition.holds(measures.of(condition.measure))
    return held


def _sentences(rule: Rule, scheme: str, hit: NDArray[np.intp], measures: _Measures) -> list[str]:
    """One sentence for each estimate that breaks a rule: the figure, and what is asked for."""
    if not hit.size:
        return []
    if rule.measure == "extreme":
        return [f"{who}; {scheme} asks for a review" for who in _who(measures.facts, hit)]
    words = _WORDS[rule.measure]
    word, limits = rule.asked(measures)
    wanted = [_figure(limit) for limit in (limits[hit] * words.times).tolist()]
    given = [
        _figure(x, not_as=limit) for x, limit in zip((measures.of(rule.measure)[hit] * words.times).tolist(), wanted)
    ]
    start = [_singular(words.sentence.format(figure + words.unit), figure) for figure in given]
    return [f"{text}; {scheme} asks for {word}{limit}{words.unit}" for text, limit in zip(start, wanted, strict=True)]


def _who(facts: Facts, hit: NDArray[np.intp]) -> list[str]:
    few = (facts.value[hit] <= 0) | (facts.n_positive[hit] == 0)
    return [
        f"{'None' if none else 'All'} of {n:.0f} respondents"
        for none, n in zip(few, facts.n[hit].tolist(), strict=True)
    ]


def _figure(x: float, not_as: str = "") -> str:
    """A number to three figures; to six where three would show it as the limit that it breaks.

    Examples
    --------
    >>> _figure(29.97), _figure(29.97, not_as="30"), _figure(1234.6)
    ('30', '29.97', '1235')
    """
    text = f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"
    return f"{x:.6g}" if text == not_as else text


def _singular(sentence: str, figure: str) -> str:
    return sentence.replace(" respondents", " respondent") if figure == "1" else sentence


def _names(scheme: Scheme) -> tuple[str, str, str]:
    """What a scheme may be called: its name, its name without the year, its family."""
    return scheme.name, re.sub(r"-\d{4}$", "", scheme.name), scheme.family
