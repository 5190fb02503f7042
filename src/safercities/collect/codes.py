"""Give the values of a column their codes: acts, sex, age, means,… Values without a code become `_U`, listed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.collect.ages import OLDEST, age_group, bin_codes, number_group, read_age
from safercities.collect.columns import Encoded, as_text, encode, to_numbers
from safercities.collect.faults import Ledger
from safercities.collect.records import DimensionInfo, RawTable
from safercities.collect.spec import CodesFrom, DimensionFrom
from safercities.model.dimensions import TOTAL, UNKNOWN, CodeList, age_codes, code_list, dimension
from safercities.model.errors import Problem, SafercitiesError, problem

#: One value's code, and the code of the problem where it has none.
Coding = tuple[str, str]


@dataclass(frozen=True)
class _Rule:
    """How a source's values become codes."""

    spec: CodesFrom
    codes: CodeList | None
    bins: list[int] | None
    is_age: bool
    decimal: str


def code_acts(ledger: Ledger, spec: str | CodesFrom, decimal: str) -> pa.Array:
    """ICCS code of each row; `_U` where the file's value has none.

    Raises
    ------
    SafercitiesError
        If a declared code is not in the ICCS.
    """
    iccs = code_list("ICCS")
    count = ledger.raw.table.num_rows
    if isinstance(spec, str):
        if spec not in iccs and spec != UNKNOWN:
            raise SafercitiesError(problem("act-unknown", file=ledger.raw.file, given=spec, hint=_near(spec, iccs)))
        return pa.repeat(pa.scalar(spec, pa.string()), count)
    codes, _ = _code(ledger, _Rule(spec, iccs, None, False, decimal), totals=False, counted=False)
    return codes


def code_dimension(
    ledger: Ledger, name: str, spec: DimensionFrom, decimal: str, *, totals: bool = False, counted: bool = False
) -> tuple[pa.Array, DimensionInfo]:
    """Code of each row in one dimension, and what codes to expect in it.

    Values are compared as text, without the spaces around them. Values in `unknown` and empty cells are `_U`; then
    the map speaks, then bins; without either, a value is its own code (in a dimension with a code list: if the list
    has it).

    Parameters
    ----------
    totals
        Whether a row may be for all together (`_T`), as in a table of populations.
    counted
        Whether rows carry numbers of cases. There, as in populations, a value that nothing names may be a subtotal, and
        its row is rejected: as one more group, or as unknown, it would be counted twice.

    Raises
    ------
    SafercitiesError
        If the map gives codes that the dimension's list does not have.
    """
    known = dimension(name)
    is_age = known.codes is not None and known.codes.id == "AGE"
    rule = _Rule(spec, known.codes, spec.bins, is_age, decimal)
    codes, seen = _code(ledger, rule, totals=totals, counted=counted or totals)
    expected = _expected(rule, seen)
    labels = _labels(rule, expected, ledger.raw)
    return codes, DimensionInfo(name, spec.label or known.label, spec.of or known.of, expected, labels)


def _code(ledger: Ledger, rule: _Rule, *, totals: bool, counted: bool) -> tuple[pa.Array, list[str]]:
    spec, raw = rule.spec, ledger.raw
    _check_map(rule, raw.file, totals, counted)
    encoded = encode(raw.table.column(spec.column))
    texts = encoded.texts()
    coded = _coder(rule, encoded, texts, totals)
    codes = np.array([code for code, _ in coded], dtype=object)
    faults = np.array([fault for _, fault in coded], dtype=object)
    for fault in dict.fromkeys(f for f in faults if f):
        where = encoded.take(faults == fault, False)
        if counted and fault == "value-unmapped":
            ledger.reject("group-unmapped", where, spec.column, encoded)
        else:
            ledger.warn(fault, where, spec.column, encoded)
    _note_unused(ledger, spec, texts)
    seen = list(dict.fromkeys(codes.tolist()))
    dictionary = pa.array([*codes.tolist(), UNKNOWN], pa.string())
    index = np.where(encoded.index < 0, len(texts), encoded.index)
    return dictionary.take(pa.array(index)), seen


def _coder(rule: _Rule, encoded: Encoded, texts: list[str], totals: bool) -> list[Coding]:
    """The code of each distinct value."""
    spec = rule.spec
    mapping = {key.strip(): code for key, code in spec.map.items()}
    unknown = {as_text(pa.array([value])).to_pylist()[0] for value in spec.unknown}
    numbers = to_numbers(encoded.values, rule.decimal, thousands=False) if len(texts) else np.zeros(0)
    unknown_numbers = {float(v) for v in spec.unknown if isinstance(v, int | float)}
    own = _own_code(rule, totals)
    coded: list[Coding] = []
    for text, number in zip(texts, numbers.tolist(), strict=True):
        if text in unknown or number in unknown_numbers:
            coded.append((UNKNOWN, ""))
        elif text in mapping:
            coded.append((mapping[text], ""))
        elif spec.map and rule.bins is None:
            coded.append((spec.other, "") if spec.other else (UNKNOWN, "value-unmapped"))
        else:
            code, fault = own(text, number)
            coded.append((spec.other, "") if fault and spec.other else (code, fault))
    return coded


def _own_code(rule: _Rule, totals: bool) -> Callable[[str, float], Coding]:
    """How a value that the map does not name is read."""
    if rule.is_age:
        return lambda text, number: _age_code(text, number, rule.bins, totals)
    bins = rule.bins
    if bins is not None:
        return lambda _, number: _bin_code(number, bins)
    return lambda text, _: _listed_code(text, rule.codes, totals)


def _age_code(text: str, number: float, bins: list[int] | None, totals: bool) -> Coding:
    if text == UNKNOWN or (totals and text == TOTAL):
        return text, ""
    if number < 0 or (number == number and number >= OLDEST + 1):
        return UNKNOWN, "age-impossible"
    ages = (int(number), int(number)) if number == number else read_age(text)
    if ages is None:
        return UNKNOWN, "value-unmapped"
    code = age_group(ages, bins)
    return (code, "") if code else (UNKNOWN, "value-below-bins")


def _bin_code(number: float, bins: list[int]) -> Coding:
    if number != number:
        return UNKNOWN, "value-unmapped"
    code = number_group(number, bins)
    return (code, "") if code else (UNKNOWN, "value-below-bins")


def _listed_code(text: str, codes: CodeList | None, totals: bool) -> Coding:
    if text == UNKNOWN or (totals and text == TOTAL):
        return text, ""
    if text != TOTAL and (codes is None or text in codes):
        return text, ""
    return UNKNOWN, "value-unmapped"


def _check_map(rule: _Rule, file: str, totals: bool, counted: bool) -> None:
    """Every code that the map can give must be in the list."""
    given = dict(rule.spec.map)
    if rule.spec.other is not None:
        given["(other)"] = rule.spec.other
    problems: list[Problem] = []
    if counted and rule.codes is None and rule.bins is None and not given:
        problems.append(problem("group-map-needed", file=file, column=rule.spec.column))
    for value, code in given.items():
        if code == TOTAL and not totals:
            problems.append(problem("map-total", file=file, column=rule.spec.column, value=value))
        elif rule.codes is not None and code not in (UNKNOWN, TOTAL) and code not in rule.codes:
            problems.append(_bad_code(rule, file, value, code, rule.codes))
    if problems:
        raise SafercitiesError(problems)


def _bad_code(rule: _Rule, file: str, value: str, code: str, codes: CodeList) -> Problem:
    listed = ", ".join(list(codes.labels)[:12]) + (", …" if len(codes.labels) > 12 else "")
    hint = _near(code, codes)
    details: dict[str, Any] = {"value": value, "given": code, "list": codes.id, "hint": hint, "codes": listed}
    return problem("map-code-unknown", file=file, column=rule.spec.column, **details)


def _near(code: str, codes: CodeList) -> str:
    near = codes.near(code, 1) or difflib.get_close_matches(code.lstrip("0"), list(codes.labels), n=1)
    return f"did you mean {near[0]} ({codes.label_of(near[0])})? " if near else ""


def _note_unused(ledger: Ledger, spec: CodesFrom, texts: Iterable[str]) -> None:
    if not ledger.raw.table.num_rows:
        return
    met = set(texts)
    for value in spec.map:
        if value.strip() not in met:
            ledger.problems.append(problem("map-unused", file=ledger.raw.file, column=spec.column, value=value))


def _expected(rule: _Rule, seen: list[str]) -> tuple[str, ...]:
    """Codes in order: of the bins, of the map, or those seen in the order of the list or of the alphabet."""
    if rule.bins is not None:
        declared = age_codes(rule.bins) if rule.is_age else bin_codes(rule.bins)
        codes = [*declared, *rule.spec.map.values()]
    elif rule.spec.map:
        codes = list(rule.spec.map.values())
    else:
        codes = _ordered(rule, seen)
    if rule.spec.other is not None:
        codes.append(rule.spec.other)
    return tuple(code for code in dict.fromkeys(codes) if code not in (UNKNOWN, TOTAL))


def _ordered(rule: _Rule, seen: list[str]) -> list[str]:
    if rule.is_age:
        ranges = {code: read_age(code) or (0, 0) for code in seen}
        return sorted(seen, key=lambda code: (ranges[code][0], ranges[code][1] or OLDEST + 1))
    if rule.codes is None:
        return sorted(seen)
    place = {code: at for at, code in enumerate(rule.codes.labels)}
    return sorted(seen, key=lambda code: (place.get(code, len(place)), code))


def _labels(rule: _Rule, expected: Iterable[str], raw: RawTable) -> Mapping[str, str]:
    file_labels = raw.labels.get(rule.spec.column, {}) if not rule.spec.map and rule.bins is None else {}
    if rule.codes is not None:
        return {code: rule.codes.label_of(code) for code in expected}
    return {code: file_labels.get(code, _bin_label(code) if rule.bins else code) for code in expected}


def _bin_label(code: str) -> str:
    return f"{code[:-1]} and over" if code.endswith("+") else code.replace("-", "–")
