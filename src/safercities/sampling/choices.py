"""What callers of estimators ask for, checked: names, choices, confidence levels, quantiles."""

from __future__ import annotations

from collections.abc import Sequence

from safercities.model.errors import UsageError, problem


def several(names: str | Sequence[str]) -> list[str]:
    """One name, or several, each once."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def probabilities(q: float | Sequence[float]) -> list[float]:
    """Which quantiles: one or several, each between 0 and 1."""
    values = [float(q)] if isinstance(q, int | float) else [float(one) for one in q]
    for one in values:
        if not 0 < one < 1:
            raise UsageError(
                problem("survey-choice", what="quantile", given=one, known="0 to 1, as 0.5 for the median")
            )
    return values


def check_level(level: float) -> None:
    """Refuse a confidence level that is none."""
    if not 0.5 < level < 1:
        raise UsageError(problem("survey-choice", what="confidence level", given=level, known="0.5 to 1"))


def check_choice(what: str, given: str, known: Sequence[str]) -> None:
    """Refuse a word that is not among those known."""
    if given not in known:
        raise UsageError(problem("survey-choice", what=what, given=given, known=", ".join(known)))
