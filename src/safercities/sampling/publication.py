"""Publication rules: named sets of them as data, and what they say of estimates: publish, warn or withhold, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safercities.model.flags import BIT, words
from safercities.sampling.rules import VERDICTS, Bounds, Floats, Mask, Rule, Scheme, find_scheme, load_scheme, schemes

Texts = NDArray[np.object_]

#: A standard error below this share of the value is 0: the rest is rounding in the sums.
NO_SPREAD = 1e-12


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

    kind: str
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
        none = np.asarray((self.n_positive == 0) & (self.n > 0))
        if self.kind != "proportion":
            return none
        every = (self.n_positive == self.n) & (self.n > 0)
        return np.asarray(none | every | (self.value <= 0) | (self.value >= 1))


class Judgement(NamedTuple):
    """What a scheme says of K estimates.

    `verdict` is "publish", "warn", "withhold", or None where the scheme has no rule for this kind of estimate; `flags`
    are quality flags separated by a space; `reasons` are sentences with the figures, empty where no rule is broken.
    """

    scheme: str
    verdict: Texts
    flags: list[str]
    reasons: list[str]


def judge(scheme: str | Scheme, facts: Facts) -> Judgement:
    """What publication rules say of estimates: the severest rule that one breaks decides, all give their reason.

    What a rule asks for and is not known counts as not met; a standard error of 0, as in a group from one sampling
    unit, is not known. Only where nobody, or everybody, is in the numerator, and a rule asks for what rests on the
    standard error, the verdict is a warning: the rule cannot judge there.

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
        hit = np.flatnonzero(where & rule.broken(measures.of(rule.measure), facts.value))
        tally.add(hit, rule.verdict, rule.flag, _sentences(rule, rules.name, hit, measures))
    _unknown(rules, measures, tally)
    nothing = np.flatnonzero(np.isnan(facts.value))
    tally.add(nothing, "withhold", "", "There is no value")
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
            case "se" | "cv" | "log_cv":  # no spread in the sample is no proof of precision
                silent = facts.extreme | (facts.se <= NO_SPREAD * np.abs(value))
                return np.where(silent, np.nan, facts.se / self._base(name))
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
    """What has been found so far: severity, a bit for each flag, sentences; all of shape (K,)."""

    severity: NDArray[np.int8]
    flags: NDArray[np.int64]
    reasons: Texts

    @classmethod
    def empty(cls, size: int) -> _Tally:
        return cls(np.zeros(size, np.int8), np.zeros(size, np.int64), np.full(size, "", dtype=object))

    def add(self, hit: NDArray[np.intp], verdict: str, flag: str, sentences: Texts | str) -> None:
        first = self.severity[hit] == 0
        self.reasons[hit] += np.array([". ", ""], dtype=object)[first.astype(int)] + sentences
        self.severity[hit] = np.maximum(self.severity[hit], VERDICTS.index(verdict))
        self.flags[hit] |= BIT[flag] if flag else 0

    def result(self) -> tuple[Texts, list[str], list[str]]:
        return np.array(VERDICTS, dtype=object)[self.severity], words(self.flags), self.reasons.tolist()


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
        tally.add(hit, severest.verdict, severest.flag, sentence)
        hit = np.flatnonzero(unknown & extreme)
        cannot = f"; {rules.name} cannot judge it by its {_WORDS[name].name}"
        tally.add(hit, "warn", "zero_or_full", _who(measures.facts, hit) + cannot)


def _all_hold(conditions: Sequence[Bounds], measures: _Measures) -> Mask:
    held = np.ones(measures.facts.value.shape, dtype=bool)
    for condition in conditions:
        held &= condition.holds(measures.of(condition.measure))
    return held


def _sentences(rule: Rule, scheme: str, hit: NDArray[np.intp], measures: _Measures) -> Texts:
    """One sentence for each estimate that breaks a rule: the figure, and what is asked for."""
    if rule.measure == "extreme":
        return np.asarray(_who(measures.facts, hit) + f"; {scheme} asks for a review")
    say = _WORDS[rule.measure]
    word, limits = rule.asked(measures.facts.value)
    limit = _rounded(limits[hit] * say.times, 3)
    given = measures.of(rule.measure)[hit] * say.times
    figure = _rounded(given, 3)
    figure = np.where(
        figure == limit, _rounded(given, 6), figure
    )  # 29.97 is not shown as the 30 that it falls short of
    begun = _texts(figure, lambda x: _singular(say.sentence.format(_shown(x) + say.unit), x))
    return np.asarray(begun + _texts(limit, lambda x: f"; {scheme} asks for {word}{_shown(x)}{say.unit}"))


def _who(facts: Facts, hit: NDArray[np.intp]) -> Texts:
    """Who said yes, where nobody or everybody did."""
    none = (facts.value[hit] <= 0) | (facts.n_positive[hit] == 0)
    start = np.array(["All of ", "None of "], dtype=object)[none.astype(int)]
    several = start + _texts(facts.n[hit], lambda n: f"{_shown(n)} respondents")
    one = np.array(["The only respondent is a case", "The only respondent is no case"], dtype=object)[none.astype(int)]
    return np.asarray(np.where(facts.n[hit] == 1, one, several))


def _texts(values: Floats, form: Callable[[float], str]) -> Texts:
    """A text for each value; values that occur often are put in words once."""
    each, which = np.unique(values, return_inverse=True)
    return np.array([form(x) for x in each.tolist()], dtype=object)[which]


def _rounded(x: Floats, digits: int) -> Floats:
    """Rounded to so many figures, but never to less than a whole number."""
    with np.errstate(all="ignore"):
        places = np.clip(digits - 1 - np.floor(np.log10(np.abs(x))), 0, 12)
        scale = 10 ** np.where(np.isfinite(places), places, 0)
        return np.asarray(np.round(x * scale) / scale)


def _shown(x: float) -> str:
    return f"{x:.0f}" if abs(x) >= 1e6 else f"{x:.9g}"


def _singular(sentence: str, x: float) -> str:
    return sentence.replace(" respondents", " respondent").replace(" degrees", " degree") if x == 1 else sentence


__all__ = ["Facts", "Judgement", "find_scheme", "judge", "load_scheme", "schemes"]
