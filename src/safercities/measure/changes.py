"""How an indicator changed from one wave of a survey to another, with the covariance that the same units give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.indicators.spec import Indicator
from safercities.measure.surveys import SurveySource, _names, _scaled
from safercities.measure.wave import Made, Wave, in_force
from safercities.model.errors import UsageError, problem
from safercities.sampling.changes import Side, changes
from safercities.sampling.contrasts import Contrast

#: What of a definition must be the same in both waves; its names and texts may change.
SUBSTANCE = ("numerator", "denominator", "missing", "reference_period", "per")


def wave_contrasts(
    indicator: Indicator,
    source: SurveySource,
    waves: tuple[str, str] | None = None,
    by: Sequence[str] = (),
    level: float = 0.95,
) -> list[Contrast]:
    """The later wave less the earlier one (and over it), with their covariance.

    Method
    ------
    Each wave's variance is that of its own design, its weights tied to its margins. PSUs of the same stratum and the
    same id in both waves are the same ones: their covariance counts, at the first stage of the sample. Strata without
    such PSUs, units of later stages and respondents add none; nor do waves with replicate weights, since nobody says
    whether their replicates belong together. A change then has rather too large an error than too small a one. Equal to
    R survey on the stacked waves where they share all PSUs of a stratum or none.

    Parameters
    ----------
    waves
        Two interview periods, in any order; default: the last two.
    by
        Dimensions of the groups: each in the later wave against the same in the earlier one. Groups of which one of the
        waves has no respondents are left out.
    level
        Confidence level.

    Returns
    -------
    list of Contrast
        In the indicator's unit. `one` and `other` hold the wave as `period`, beside the codes of the group.

    Raises
    ------
    UsageError
        If the source lacks a wave, the breakdown or the answers; if what the indicator is made of, or whether all were
        asked, changed between the waves; or nobody answered in one of them.
    """
    before, after = (source.wave(period) for period in _pair(source, waves))
    first, second = (wave.made(indicator, in_force(indicator, wave.period)) for wave in (before, after))
    _comparable(indicator, (before, first), (after, second))
    found = changes(_side(after, second), _side(before, first), _names(by, source), level)
    if not found:
        periods: dict[str, Any] = {"before": before.period, "after": after.period}
        raise UsageError(problem("survey-change-nobody", indicator=indicator.code, **periods))
    return [_scaled(one, second.per) for one in found]


def _pair(source: SurveySource, waves: tuple[str, str] | None) -> list[str]:
    """The two waves, the earlier one first."""
    if waves is None:
        if len(source.waves) < 2:
            raise UsageError(problem("survey-waves-one", source=source.name, known=", ".join(source.waves)))
        return list(source.waves[-2:])
    one, other = (source.wave(period).period for period in waves)
    if one == other:
        raise UsageError(problem("survey-waves-same", one=one, other=other))
    return sorted((one, other), key=source.waves.index)


def _comparable(indicator: Indicator, before: tuple[Wave, Made], after: tuple[Wave, Made]) -> None:
    """Refuse to compare what is not made of the same answers of the same people."""
    periods: dict[str, Any] = {"before": before[0].period, "after": after[0].period}
    one, other = before[1].version, after[1].version
    if differ := [name for name in SUBSTANCE if getattr(one, name) != getattr(other, name)]:
        said = ", ".join(differ)
        raise UsageError(problem("survey-change-definition", indicator=indicator.code, differ=said, **periods))
    if bool(before[1].note) != bool(after[1].note):
        name = after[0].source.name
        raise UsageError(problem("survey-change-asked", source=name, indicator=indicator.code, **periods))


def _side(wave: Wave, made: Made) -> Side:
    return Side({"period": wave.period}, wave.design, made.statistic, _psus(wave))


def _psus(wave: Wave) -> dict[str, int]:
    """Position of each PSU by stratum and id, as far as another wave can have it.

    Respondents that are units of their own are in one wave only. Of PSUs taken for certain it is the units inside them
    that were drawn.
    """
    if "psu" not in wave.table.column_names:
        return {}
    sample, rows = wave.design.sample, wave.design.respondents.rows
    psu = np.searchsorted(sample.units.stages[0].starts, sample.unit, side="right") - 1
    used, first = np.unique(psu, return_index=True)
    at = first if rows is None else rows[first]
    own = [name for name in ("stratum", "psu", "certain", "unit_2") if name in wave.table.column_names]
    ids = wave.table.select(own).take(pa.array(at)).to_pylist()
    names = [_name(one) for one in ids]
    return {name: position for name, position in zip(names, used.tolist(), strict=True) if name}


def _name(ids: dict[str, object]) -> str:
    """Name of a PSU; nothing where its units are single respondents."""
    drawn = [ids.get("stratum", ""), ids["psu"]]
    if ids.get("certain"):
        if ids.get("unit_2") is None:
            return ""
        drawn.append(ids["unit_2"])
    return "\x1f".join(map(str, drawn))
