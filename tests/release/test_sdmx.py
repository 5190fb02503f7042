"""The SDMX files: what was written is read back equal, by us, by pysdmx and by sdmx1; whatever else is refused."""

from __future__ import annotations

import csv
import math
import warnings
from contextlib import suppress
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release.made_release import CITY, DISTRICTS, content, rows
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.release.content import SECRET, Content
from safercities.release.sdmx import read_data, read_structure, write_data, write_structure
from safercities.release.sdmx_data import _escaped, _unescaped
from safercities.release.sdmx_names import code_id, code_text, dimension_id, dimension_name, period_of, time_period

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NOTES = (
    '=HYPERLINK("http://x")',
    "one\ntwo",
    'He said "no", twice',
    "\\n is no line",
    "الحي القديم",
    "'",
    "\x00\x1b[31m",
    "",
)


def of(*given: dict[str, Any], **changes: Any) -> Content:
    """A release with these estimates."""
    return content(estimates=Estimates.from_rows(given, dimensions=["sex"]), **changes)


def row(**changes: Any) -> dict[str, Any]:
    """One published estimate."""
    return {**rows()[0], **changes}


def hard() -> Content:
    """Estimates with everything that a file may trip over: odd texts, odd numbers, odd codes, withheld rows."""
    given = [
        row(
            place="CO-MDE.01",
            sex="_T",
            source="0017",
            value=0.1 + 0.2,
            se=5e-324,
            lower=-1.5,
            upper=math.inf,
            note=note,
            n=k,
        )
        | {
            "unit": ("%", "per 1 000", "people", None)[k % 4],
            "period": ("2024", "2024-Q1", "2024-03-15/2024-06-02")[k % 3],
        }
        | {"method": f"crude rate, Garwood’s interval {k}", "quality": "few_cases smoothed" if k else None}
        for k, note in enumerate(NOTES)
    ]
    withheld = [
        dict.fromkeys(SECRET) | {"place": "CO-MDE.02", "sex": sex, "conf_status": "N", "obs_status": "Q"}
        for sex in ("F", "M")
    ]
    popular = replace(DISTRICTS[0], name="=Popular «الحي» ‮\x07", aliases={"dane": "05001"}, valid_from=date(2007, 1, 1))
    return of(*given, *(row(**one) for one in withheld), places=(CITY, popular, DISTRICTS[1]))


def written(made: Content, folder: Path) -> tuple[Path, Path]:
    """Both files of a release."""
    data, structure = folder / "data.csv", folder / "structure.xml"
    write_data(made, data)
    write_structure(made, structure)
    return data, structure


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


CASES = {"usual": content(), "hard": hard(), "one": of(row()), "none": of()}


@pytest.mark.parametrize("made", CASES.values(), ids=CASES)
def test_is_read_back_equal(made: Content, tmp_path: Path) -> None:
    data, _ = written(made, tmp_path)
    expected = made.estimates.sort().table
    for found in (read_data(data), read_data(data.read_bytes())):
        assert found.schema == expected.schema
        assert found.equals(expected)


@pytest.mark.parametrize("made", CASES.values(), ids=CASES)
def test_no_cell_is_a_formula_and_no_estimate_takes_two_lines(made: Content, tmp_path: Path) -> None:
    data, _ = written(made, tmp_path)
    assert len(data.read_text(encoding="utf-8").splitlines()) == len(made.estimates) + 1
    for found in cells(data):
        for name, cell in found.items():
            assert not cell.startswith(FORMULA) or float(cell.replace("INF", "inf")) < 0, (name, cell)


def test_withheld_rows_have_no_number_and_one_mark(tmp_path: Path) -> None:
    data, _ = written(hard(), tmp_path)
    found = [one for one in cells(data) if one["CONF_STATUS"] == "N"]
    told = ("OBS_VALUE", "SE", "LOWER_BOUND", "UPPER_BOUND", "N_OBS", "N_POSITIVE", "DEFF", "DF", "COVERAGE", "VERDICT")
    assert len(found) == 2
    assert {one["OBS_STATUS"] for one in found} == {"Q"}
    assert all(one[name] == "" for one in found for name in told)


def test_same_content_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    shuffled = hard().estimates.table
    shuffled = Estimates(shuffled.take(list(reversed(range(shuffled.num_rows)))))
    for folder, estimates in ((first, hard().estimates), (second, shuffled)):
        folder.mkdir()
        written(replace(hard(), estimates=estimates), folder)
    for name in ("data.csv", "structure.xml"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


# ---------------------------------------------------------------------------------------------------------- properties


@given(TEXT, st.sampled_from(["", "UNIT_MEASURE"]))
def test_ids_of_codes(text: str, component: str) -> None:
    made = code_id(text, component)
    assert code_text(made, component) == text
    assert not made.startswith(FORMULA)
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@$-")
    with pytest.raises(ValueError, match=r".*"):  # so that no column is taken for numbers, and no zero is lost
        float(made.replace("_", "x"))


@given(st.text("$@_-0aTZ.f", max_size=8))
def test_an_id_is_refused_or_is_the_only_one(id: str) -> None:
    try:
        text = code_text(id)
    except ValueError:
        return
    assert code_id(text) == id


@given(st.one_of(TEXT, st.none()), st.sampled_from(["quality", "note"]))
def test_texts(text: str | None, column: str) -> None:
    made = _escaped(text, column)
    assert _unescaped(made, column) == text
    assert not made.startswith(FORMULA)
    assert len(made.splitlines()) <= 1


@given(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True))
def test_names_of_dimensions(name: str) -> None:
    try:
        id = dimension_id(name)
    except UsageError:
        return
    assert dimension_name(id) == name


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(0, 2000))
def test_periods(start: date, days: int) -> None:
    from datetime import timedelta

    from safercities.model.periods import Period

    period = str(Period(start, start + timedelta(days=days)))
    assert period_of(time_period(period)[1]) == period


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(allow_nan=False), st.none() | st.integers(0, 2**62), TEXT, TEXT), max_size=6))
def test_any_estimates(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[float, int | None, str, str]]
) -> None:
    given = [row(value=value, n=n, note=note, sex=f"{k}{sex}") for k, (value, n, note, sex) in enumerate(drawn)]
    made = of(*given)
    folder = tmp_path_factory.mktemp("any")
    data, structure = written(made, folder)
    assert read_data(data).equals(made.estimates.sort().table)
    assert dict(read_structure(structure).labels["sex"]).keys() >= {one["sex"] for one in given}


# ---------------------------------------------------------------------------------------------------- other libraries


def same(found: str, expected: object) -> bool:
    """Whether a reader's text is our value; numbers may differ in the last bit: pandas parses fast, not exactly."""
    if expected is None:
        return found in ("", "<NA>", "nan", "NaN", "None")
    if isinstance(expected, int | float):
        return math.isclose(float(found), expected, rel_tol=1e-15)
    return found == expected


def expected_cells(made: Content, data: Path) -> list[dict[str, Any]]:
    """What a reader of the file must find: codes and texts as they stand there, numbers as the estimates have them."""
    texts = cells(data)
    columns = {"OBS_VALUE": "value", "SE": "se", "LOWER_BOUND": "lower", "UPPER_BOUND": "upper", "CONF_LEVEL": "level"}
    columns |= {"N_OBS": "n", "N_POSITIVE": "n_positive", "DENOMINATOR": "denominator", "DEFF": "deff", "DF": "df"}
    columns |= {"COVERAGE": "coverage"}
    ours = made.estimates.sort().rows()
    codes = {"INDICATOR": "indicator", "REF_AREA": "place", "SEX": "sex", "SOURCE": "source", "METHOD": "method"}
    for text, our in zip(texts, ours, strict=True):  # the ids stand for our codes
        assert {id: code_text(text[id]) for id in codes} == {id: our[name] for id, name in codes.items()}
        assert code_text(text["UNIT_MEASURE"], "UNIT_MEASURE") == our["unit"]
    return [{**text, **{id: our[name] for id, name in columns.items()}} for text, our in zip(texts, ours, strict=True)]


@pytest.mark.parametrize("made", [CASES["usual"], CASES["hard"], CASES["one"]], ids=["usual", "hard", "one"])
def test_pysdmx_reads_it_equal(made: Content, tmp_path: Path) -> None:
    pytest.importorskip("pysdmx", reason="pysdmx is not installed")
    from pysdmx.io import get_datasets, read_sdmx

    data, structure = written(made, tmp_path)
    message = read_sdmx(structure, validate=True)  # against the XML schemas of SDMX 3.0
    areas = message.get_codelist("Codelist=SAFERCITIES.CO-MDE:CL_REF_AREA(1.0.0)")
    assert next((code.id, code.name) for code in areas.items) == ("CO-MDE", "Medellín")
    (dataset,) = get_datasets(data, structure)
    found = dataset.data.to_dict("records")
    expected = expected_cells(made, data)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name, value in one.items():
            assert same(str(value), other[name]), (name, value, other[name])


@pytest.mark.parametrize("made", [CASES["usual"], CASES["hard"], CASES["one"]], ids=["usual", "hard", "one"])
def test_sdmx1_reads_it_equal(made: Content, tmp_path: Path) -> None:
    sdmx = pytest.importorskip("sdmx", reason="sdmx1 is not installed")
    data, structure = written(made, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # it leaves files that it opens itself open
        read = sdmx.read_sdmx(BytesIO(structure.read_bytes()), format="XML")
        flow = next(iter(read.dataflow.values()))
        message = sdmx.read_sdmx(BytesIO(data.read_bytes()), format="CSV", structure=flow)
    area = read.codelist["CL_REF_AREA"]["CO-MDE@01"]
    assert area.parent.id == "CO-MDE"
    expected = expected_cells(made, data)
    (dataset,) = message.data
    assert len(dataset.obs) == len(expected)
    for one, other in zip(dataset.obs, expected, strict=True):
        found = {key: value.value for key, value in one.dimension.values.items()}
        found |= {key: value.value for key, value in one.attached_attribute.items()} | {"OBS_VALUE": one.value}
        for name, value in found.items():
            number = isinstance(other[name], int | float)
            assert (float(value) == other[name]) if number else same(str(value), other[name]), (
                name,
                value,
                other[name],
            )


def test_every_structure_is_valid(tmp_path: Path) -> None:
    pytest.importorskip("pysdmx", reason="pysdmx is not installed")
    from pysdmx.io import read_sdmx

    for name, made in CASES.items():
        folder = tmp_path / name
        folder.mkdir()
        _, structure = written(made, folder)
        assert read_sdmx(structure, validate=True).structures


# ----------------------------------------------------------------------------------------------------------- structure


def test_structure_gives_places_and_labels_back(tmp_path: Path) -> None:
    made = hard()
    found = read_structure(written(made, tmp_path)[1])
    assert [replace(one, name="") for one in found.places] == [replace(one, name="") for one in made.places]
    assert found.places[0].name == "Medellín"
    assert found.places[1].name == "=Popular «الحي» ��"  # what turns the reading order or rings a bell is no name
    assert found.labels["sex"] == made.dimensions["sex"]
    assert dict(found.labels["source"])["homicides"] == "Homicides, police"


def test_places_of_cases_without_a_place_are_no_places(tmp_path: Path) -> None:
    made = of(row(place="_U.neighbourhood"))
    found = read_structure(written(made, tmp_path)[1])
    assert {one.id for one in found.places} == {one.id for one in made.places}
    assert "Not placed (neighbourhood)" in (tmp_path / "structure.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<a/>",
        '<!DOCTYPE a [<!ENTITY x "y">]><Structure>&x;</Structure>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><Structure/>',
        "<Structure>" + "<a>" * 50 + "</a>" * 50 + "</Structure>",
        '<Structure><Codelist id="CL_REF_AREA"><Code id="a.b"/></Codelist></Structure>',
        '<Structure><Codelist id="CL_SEX"><Code id="F"/><Code id="F"/></Codelist></Structure>',
        "<Structure><Codelist",
    ],
)
def test_a_hostile_structure_is_refused(text: str) -> None:
    with pytest.raises(SafercitiesError) as error:
        read_structure(text.encode())
    assert error.value.problems[0].code == "sdmx-unreadable"


def test_a_structure_of_countless_short_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safercities.release.sdmx_meaning._MOST_ELEMENTS", 100)
    assert read_structure(b"<Structure>" + b"<a/>" * 99 + b"</Structure>").places == ()
    with pytest.raises(SafercitiesError, match="too many elements"):
        read_structure(b"<Structure>" + b"<a/>" * 100 + b"</Structure>")


def test_places_that_lie_in_themselves_are_refused(tmp_path: Path) -> None:
    made = content(places=(Place("a", "A", "city", parent="b"), Place("b", "B", "city", parent="a")))
    with pytest.raises(SafercitiesError, match="the place a lies in itself"):
        read_structure(written(made, tmp_path)[1])


def test_parents_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    text = written(content(), tmp_path)[1].read_text(encoding="utf-8")
    with pytest.raises(SafercitiesError, match="the place CO-BOG is a parent, but not in the list"):
        read_structure(text.replace("<str:Parent>CO-MDE<", "<str:Parent>CO-BOG<").encode())


def test_files_that_are_too_large_are_refused(tmp_path: Path) -> None:
    data, structure = written(content(), tmp_path)
    for read, path in ((read_data, data), (read_structure, structure)):
        with pytest.raises(SafercitiesError, match="more than 10 bytes"):
            read(path, most=10)


# ------------------------------------------------------------------------------------------------------ refused on both


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"place": None}, "sdmx-key-missing"),
        ({"period": "2024-01/2024-12"}, "sdmx-period"),
        ({"period": "last year"}, "sdmx-period"),
        ({"conf_status": "C"}, "sdmx-status"),
        ({"conf_status": None}, "sdmx-status"),
        ({"obs_status": "=1"}, "sdmx-status"),
        ({"conf_status": "N", "obs_status": "Q"}, "sdmx-not-withheld"),
    ],
)
def test_estimates_that_may_not_be_published_are_not_written(change: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(SafercitiesError) as error:
        write_data(of(row(**change)), tmp_path / "data.csv")
    assert error.value.problems[0].code == code


@pytest.mark.parametrize("name", SECRET)
def test_a_withheld_row_tells_nothing(name: str, tmp_path: Path) -> None:
    kind = Estimates.empty().table.schema.field(name).type
    told = dict.fromkeys(SECRET) | {"conf_status": "N", "obs_status": "Q", name: "warn" if kind == pa.string() else 3}
    with pytest.raises(SafercitiesError, match=f"still tells its {name}"):
        write_data(of(row(**told)), tmp_path / "data.csv")


def test_withheld_rows_may_not_differ_in_status(tmp_path: Path) -> None:
    given = [
        row(**dict.fromkeys(SECRET), sex=sex, obs_status=code, conf_status="N")
        for sex, code in (("F", "A"), ("M", "U"))
    ]
    with pytest.raises(SafercitiesError, match="differ in their status"):
        write_data(of(*given), tmp_path / "data.csv")


def test_two_estimates_of_one_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SafercitiesError, match="1 estimates have the key"):
        write_data(of(row(), row(value=2.0)), tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OBS_VALUE", "OBS_WERT"),
        ("STRUCTURE,", ""),
        ("SEX", "sex"),
        ("dataflow", "datastructure"),
        ("SAFERCITIES.CO-MDE:ESTIMATES(1.0.0)", "OTHERS:ESTIMATES(1.0.0)"),
        (",I,A,", ",D,A,"),
        (",I,A,", ",I,M,"),
        ("sdg@16@1@1", "sdg.16.1.1"),
        ("sdg@16@1@1", "sdg$2e$16@1@1"),
        ("2024,40.0", "2024,40.00"),
        ("2024,40.0", "2024,1e999"),
        ("2024,40.0", "2024,=40"),
        ("2024,40.0", "2024," + "9" * 400),
        ("0.95,40,40", "0.95,99999999999999999999,40"),
        ("0.95,40,40", "0.95,4.5,40"),
        (",F,,,,1.0,", ",F,,,,1.0,=1+1"),
        (",F,,,,1.0,", ",F,,,,1.0,\\u0041"),
        (",F,,,,1.0,", ",F,,,,1.0,a,b"),
        (",A,F,", ",A,C,"),
        (",2024,", ",2024/2025,"),
        (",2024,", ",0000-00-00/P9D,"),
        (",2024,", ",9999-12-01/P99D,"),
        ("victims", "vict\x00ims"),
        (",victims,count,2024,,,", ",victims,count,2024,3.0,,"),
    ],
)
def test_data_that_were_changed_are_refused(old: str, new: str, tmp_path: Path) -> None:
    data, _ = written(content(), tmp_path)
    text = data.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(SafercitiesError):
        read_data(text.replace(old, new, 1).encode())


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_no_byte_that_changes_ends_in_a_crash(
    position: float, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for read, path in zip((read_data, read_structure), written(content(), folder), strict=True):
        data = bytearray(path.read_bytes())
        data[int(position * len(data))] = byte
        with suppress(SafercitiesError):
            read(bytes(data))
