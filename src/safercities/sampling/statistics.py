"""What is estimated, as variables to add up: a mean is a sum over a sum, a proportion a mean of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import SafercitiesError, problem
from safercities.sampling.spec import Missing
from safercities.sampling.sums import Cells, Variable
from safercities.sampling.units import Floats, Ints

Kind = Literal["proportion", "mean", "ratio", "total"]


@dataclass(frozen=True, eq=False)
class Statistic:
    """One thing to estimate in every domain.

    Parameters
    ----------
    name
        What it is called.
    kind
        A proportion or mean is Σ w·x / Σ w, a ratio Σ w·x / Σ w·d, a total Σ w·x.
    x, d
        Numerator and denominator (for a total: the weights of those who count).
    base
        Weights of the respondents who count: they were asked, and their answer is known.
    positive
        Rows in which x is above 0.
    unanswered
        Rows that were asked, but gave no usable answer.
    binary
        Whether x is 0 or 1 throughout.
    negative
        Whether x is below 0 somewhere.
    centre
        Σ w·x / Σ w·d over everybody: squares are added up around it, so that large means lose no digits.
    squares
        w·e², and for a ratio w·e·d and w·d², of the rows that count, where e = x − centre·d; none where x is binary.
    """

    name: str
    kind: Kind
    x: Variable
    d: Variable
    base: Variable
    positive: Ints
    unanswered: Ints
    binary: bool
    negative: bool
    centre: float
    squares: tuple[Floats, ...]

    def counted(self, cells: Cells) -> tuple[Floats, Floats, Floats]:
        """Respondents of each domain who count, those of them above 0, and those without an answer; (domains,) each."""
        n = cells.by_domain(f"n:{self.base.name}", self.base.rows, None)
        positive = cells.by_domain(f"positive:{self.x.name}", self.positive, None)
        if not len(self.unanswered):
            return n, positive, np.zeros(cells.size)
        return n, positive, cells.by_domain(f"unanswered:{self.x.name}", self.unanswered, None)

    def squared(self, cells: Cells, value: Floats, x: Floats, d: Floats) -> Floats:
        """Σ w·e² of each domain, e being x less its own mean (ratio: x − value·d); shape (domains,)."""
        mean = np.nan_to_num(value) if self.kind != "total" else np.divide(x, d, out=np.zeros(cells.size), where=d > 0)
        if self.binary:
            return x * (1 - mean)
        sums = [
            cells.by_domain(f"square{number}:{self.x.name}/{self.d.name}", self.base.rows, part)
            for number, part in enumerate(self.squares)
        ]
        shift = mean - self.centre
        if self.kind == "ratio":
            return np.maximum(sums[0] - 2 * shift * sums[1] + shift**2 * sums[2], 0)
        return np.maximum(sums[0] - shift**2 * d, 0)


def statistic(
    kind: Kind,
    name: str,
    values: Floats,
    weights: Floats,
    *,
    by: Floats | None = None,
    by_name: str = "",
    among: NDArray[np.bool_] | None = None,
    among_name: str = "",
    missing: Missing = "omit",
    file: str = "",
) -> Statistic:
    """A statistic of respondents.

    Parameters
    ----------
    values
        x of each row, NaN where no answer is known.
    weights
        Weight of each row.
    by
        Denominator of a ratio, NaN where not known.
    among
        Who is asked; None: everybody.
    missing
        What an answer that is not known means.

    Raises
    ------
    SafercitiesError
        If a proportion is not of 0 and 1, or answers are missing where none may be.
    """
    known = ~np.isnan(values) if by is None else ~np.isnan(values) & ~np.isnan(by)
    unknown = ~known if among is None else ~known & among
    if unknown.any() and missing == "fail":
        raise SafercitiesError(
            problem("survey-answers-missing", file=file, column=name, name=name, rows=int(unknown.sum()))
        )
    if unknown.any() and missing == "no":
        values = np.where(unknown & np.isnan(values), 0.0, values)
        by = None if by is None else np.where(unknown & np.isnan(by), 0.0, by)
        known, unknown = known | unknown, np.zeros_like(unknown)
    asked = known if among is None else known & among
    rows = None if asked.all() else np.flatnonzero(asked)
    x, w = (values, weights) if rows is None else (values[rows], weights[rows])
    binary = bool(np.all((x == 0) | (x == 1)))
    if kind == "proportion" and not binary:
        wrong = int(np.sum((x != 0) & (x != 1)))
        raise SafercitiesError(problem("survey-not-zero-one", file=file, column=name, name=name, rows=wrong))
    label = name + (f" among {among_name}" if among is not None else "") + (f" {missing}" if missing != "omit" else "")
    label += f" by {by_name}" if by is not None else ""
    whole = f"weights:{among_name}:{'' if rows is None or (among is not None and known.all()) else label}"
    base = Variable(whole, rows, w)
    positive = np.flatnonzero(x > 0) if rows is None else rows[x > 0]
    if by is not None:
        ratio = by if rows is None else by[rows]
        d, binary = Variable(f"x:{by_name} for {label}", rows, w * ratio), False
    else:
        ratio, d = None, base
    variable = Variable(f"x:{label}", positive, weights[positive]) if binary else Variable(f"x:{label}", rows, w * x)
    centre, squares = _squares(kind, x, ratio, w, binary)
    negative = bool(np.any(x < 0))
    return Statistic(
        name, kind, variable, d, base, positive, np.flatnonzero(unknown), binary, negative, centre, tuple(squares)
    )


def _squares(kind: Kind, x: Floats, d: Floats | None, w: Floats, binary: bool) -> tuple[float, Sequence[Floats]]:
    if binary or not len(x):
        return 0.0, [w * x * 0, w * x * 0, w * x * 0] if not binary else []
    below = float(np.sum(w if d is None else w * d))
    centre = float(np.sum(w * x)) / below if below else 0.0
    e = x - centre * (1.0 if d is None else d)
    if d is None:
        return centre, [w * e * e]
    return centre, [w * e * e, w * e * d, w * d * d]
