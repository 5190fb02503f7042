"""Bad input, as people meet it: each a clear sentence with its place, the right exit code, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mini
import mini_survey
from safercities.cli import app


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.exit_code, result.output


def check(folder: Path) -> tuple[int, dict]:
    code, text = run("check", folder, "--json")
    return code, json.loads(text)


def workbook() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for line in mini.ROBBERIES.splitlines():
        book.active.append(line.split(","))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def with_(old: str, new: str) -> str:
    assert old in mini.TOML
    return mini.TOML.replace(old, new)


def test_the_good_one_is_good(tmp_path):
    code, answer = check(mini.build(tmp_path))
    assert code == 0, answer
    assert answer["sources"]["robberies"] == {"read": 6, "kept": 6, "rejected": 0}


BAD_FILES = {
    "unknown key": ({"toml": with_("sex = { column", "sexo = 1\nsex = { column")}, "observatory.toml", "sexo"),
    "misspelt key": ({"toml": with_("longitude", "longitud")}, "observatory.toml", "did you mean longitude"),
    "broken toml": ({"toml": with_("[measure]", "[measure")}, "observatory.toml", "TOML"),
    "missing column": ({"toml": with_('when = "date"', 'when = "fecha"')}, "robberies.csv", "fecha"),
    "missing file": ({"toml": with_("robberies.csv", "robos.csv")}, "robos.csv", "no such file"),
    "outside the folder": ({"toml": with_('"robberies.csv"', '"../../etc/passwd"')}, "passwd", ""),
    "empty file": ({"robberies": ""}, "robberies.csv", "empty"),
    "utf-16 as utf-8": (
        {
            "toml": with_('when = "date"', 'encoding = "utf-8"\nwhen = "date"'),
            "robberies": mini.ROBBERIES.encode("utf-16"),
        },
        "robberies.csv",
        "utf-16",
    ),
    "two places with one id": ({"areas": json.dumps(mini.areas(code="02"))}, "areas.geojson", "02"),
    "truncated workbook": (
        {"toml": with_('"robberies.csv"', '"robberies.xlsx"')},
        "robberies.xlsx",
        "",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_used(tmp_path, case):
    changed, file, words = BAD_FILES[case]
    folder = mini.build(tmp_path, **changed)
    if case == "truncated workbook":
        (folder / "robberies.xlsx").write_bytes(workbook()[:-900])
    for command in ("check", "measure", "review"):
        code, text = run(command, folder)
        assert code == 1, text
        assert file in text
        assert words.lower() in text.lower()
        assert "Traceback" not in text
    assert not (folder / "build").exists()


def test_31_february_is_a_counted_rejection(tmp_path):
    folder = mini.build(tmp_path, robberies=mini.ROBBERIES.replace("2023-03-06", "2023-02-31"))
    code, answer = check(folder)
    assert code == 1
    assert answer["sources"]["robberies"] == {"read": 6, "kept": 5, "rejected": 1}
    (fault,) = [p for p in answer["problems"] if p["severity"] == "error"]
    assert (fault["file"], fault["row"], fault["column"]) == ("robberies.csv", 3, "date")
    assert "2023-02-31" in fault["what"]
    assert run("measure", folder)[0] == 0  # the rest can be measured, and the row is in the rejects
    assert "2023-02-31" in (folder / "build" / "rejects" / "robberies.csv").read_text()


def test_latitude_612_is_kept_in_the_total_and_said(tmp_path):
    folder = mini.build(tmp_path, robberies=mini.ROBBERIES.replace("1.5,0.5,man", "1.5,612,man"))
    _, answer = check(folder)
    assert answer["sources"]["robberies"]["kept"] == 6
    (fault,) = [p for p in answer["problems"] if p["row"] == 3]
    assert "612" in fault["what"]


def test_a_polygon_that_crosses_itself_is_named(tmp_path):
    bow_tie = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]
    _, answer = check(mini.build(tmp_path, areas=json.dumps(mini.areas(coordinates=bow_tie))))
    assert any(p["file"] == "areas.geojson" and p["severity"] in ("error", "warning") for p in answer["problems"])


def test_a_population_of_zero_gives_no_rate(tmp_path):
    folder = mini.build(tmp_path, people=mini.people(0))
    assert run("measure", folder)[0] == 0
    rows = (folder / "build" / "estimates.csv").read_text().lower()
    assert "inf" not in rows
    assert "nan" not in rows


@pytest.mark.parametrize(
    "words", [["measure", "no-such-folder"], ["check", "."], ["nonsense"], ["indicators", "sdg.16.1.l"]]
)
def test_a_wrong_call_exits_with_2(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert run(*words)[0] == 2


def test_an_unknown_indicator_exits_with_2_and_names_near_ones(tmp_path):
    code, text = run("measure", mini.build(tmp_path), "-i", "recorded.robery")
    assert code == 2
    assert "recorded.robbery" in text


def test_the_earlier_output_survives_a_failed_run(tmp_path):
    folder = mini.build(tmp_path)
    assert run("measure", folder)[0] == 0
    assert run("review", folder)[0] == 0
    before = {p: p.read_bytes() for p in [*folder.glob("build/*.*"), *folder.glob("reviews/*/*")] if p.is_file()}
    assert len(before) >= 5
    mini.build(folder, robberies="")
    assert run("measure", folder)[0] == 1
    assert run("review", folder)[0] == 1
    assert before == {p: p.read_bytes() for p in before}


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX thing")
@pytest.mark.parametrize("seconds", [0.4, 0.9, 1.3, 1.8])
def test_the_earlier_output_survives_kill_9(tmp_path, seconds):
    folder = mini.build(tmp_path)
    assert run("measure", folder)[0] == 0
    before = (folder / "build" / "estimates.csv").read_text()
    process = subprocess.Popen([sys.executable, "-m", "safercities", "measure", str(folder)])
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    from safercities.files import recover

    recover(folder / "build")
    assert (folder / "build" / "estimates.csv").read_text() == before
    assert run("measure", folder)[0] == 0


def test_the_same_input_gives_the_same_bytes(tmp_path):
    one, two = mini.build(tmp_path / "one"), mini.build(tmp_path / "two")
    for folder in (one, two):
        assert run("measure", folder)[0] == 0
        assert run("review", folder)[0] == 0
    names = sorted(p.relative_to(one) for p in [*one.rglob("build/**/*"), *one.rglob("reviews/**/*")] if p.is_file())
    assert names
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_no_traceback_where_the_terminal_lacks_a_letter(tmp_path):
    folder = mini.build(tmp_path, robberies=mini.ROBBERIES.replace("2023-03-06", "ñ"))
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "safercities", "check", str(folder)]
    done = subprocess.run(words, env=ascii_only, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert r"\xf1 cannot be read as a date" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_build_that_is_a_link_is_left_alone(tmp_path):
    folder, elsewhere = mini.build(tmp_path / "city"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "build").symlink_to(elsewhere)
    for _ in range(2):
        code, text = run("measure", folder)
        assert code == 1
        assert "build" in text
    assert (folder / "build").is_symlink()


def test_what_the_system_refuses_is_a_sentence(tmp_path):
    folder = mini.build(tmp_path)
    (folder / "reviews").write_text("in the way")
    code, text = run("review", folder)
    assert code == 1
    assert "the operating system says" in text


def test_a_run_over_millions_of_periods_is_refused(tmp_path):
    toml = with_('"2023/2024"', '"0001/9999"').replace("[measure]", '[measure]\nperiod = "day"')
    code, text = run("measure", mini.build(tmp_path, toml=toml))
    assert code == 1
    assert "too many periods" in text


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_what_holds_small_counts_is_private_and_stays_out_of_git(tmp_path):
    folder = mini.build(tmp_path)
    for command in ("measure", "review"):
        assert run(command, folder)[0] == 0
    for private in (folder / "build", folder / "reviews" / "2024"):
        assert private.stat().st_mode & 0o077 == 0
        assert (private / ".gitignore").read_text().endswith("*\n")


# -- surveys ---------------------------------------------------------------------------------------------------------


def answers_with(**columns) -> str:
    return mini_survey.survey(mini_survey.answers() | columns)


def test_a_good_survey_is_good(tmp_path):
    code, answer = check(mini_survey.build(tmp_path))
    assert code == 0, answer
    assert answer["sources"]["victims"] == {"read": 320, "kept": 320, "rejected": 0}
    assert {p["severity"] for p in answer["problems"]} <= {"note"}


WEIGHTS = mini_survey.answers()["w"].astype(str)
STRATA = mini_survey.answers()["stratum"]
TWO_STRATA = ["W" if n == 10 else s for n, s in enumerate(STRATA)]
POPULATION = 'by = ["sex"]\nsource = "people"\n'


def margins(text: str) -> str:
    return mini_survey.with_("[sources.people]", f"[[sources.victims.margins]]\n{text}\n[sources.people]")


def variable(old: str, new: str) -> dict[str, str]:
    return {"toml": mini_survey.with_(old, new)}


BAD_SURVEYS = {
    "weights that are text": ({"survey": answers_with(w=["much"] * 320)}, "survey.csv", "much is no number"),
    "negative weights": ({"survey": answers_with(w=["-1", *WEIGHTS[1:]])}, "survey.csv", "-1 is negative"),
    "missing weights": ({"survey": answers_with(w=["", *WEIGHTS[1:]])}, "survey.csv", "weight is missing"),
    "psu in two strata": ({"survey": answers_with(stratum=TWO_STRATA)}, "survey.csv", "several strata"),
    "missing stratum": ({"survey": answers_with(stratum=["", *STRATA[1:]])}, "survey.csv", "stratum is missing"),
    "one psu": (
        {"survey": answers_with(stratum=["A"] * 320, psu=["1"] * 320)}, "survey.csv", "PSU"
    ),
    "a total of zero": (
        {"toml": margins('by = ["sex"]\ntotals = { F = 0, M = 1 }')}, "observatory.toml", "total of 0 for F"
    ),
    "totals that contradict each other": (
        {
            "survey": answers_with(sex=[1 + n % 2 for n in range(320)], year=["2023"] * 320),
            "toml": margins(
                'by = ["sex"]\ntotals = { F = 4000, M = 4000 }\n[[sources.victims.margins]]\nby = ["age"]\n'
                "totals = { Y15T29 = 2000, Y30T59 = 2000, Y_GE60 = 2000 }"
            ),
        },
        "survey.csv",
        "age",
    ),
    "totals for several waves": (
        {"toml": margins('by = ["sex"]\ntotals = { F = 1, M = 1, _U = 1 }')}, "survey.csv", "wave"
    ),
    "a group without a total": (
        {"survey": answers_with(year=["2023"] * 320), "toml": margins('by = ["sex"]\ntotals = { F = 9, M = 9 }')},
        "survey.csv",
        "no total for _U",
    ),
    "a margin of an unknown breakdown": (
        {"toml": margins('by = ["income"]\ntotals = { Q1 = 1 }')}, "observatory.toml", "no breakdown of this survey"
    ),
    "a margin of a population that is none": (
        {"toml": margins('by = ["sex"]\nsource = "poeple"')}, "observatory.toml", "no source with kind"
    ),
    "a population of other years": ({"toml": margins(POPULATION + 'period = "1950"')}, "observatory.toml", "in 1950"),
    "an answer that is neither": ({"survey": answers_with(h1=["7"] * 320)}, "survey.csv", "7 is neither yes nor no"),
    "a misspelt column": (variable('column = "h1"', 'column = "h11"'), "survey.csv", "did you mean h1"),
    "a misspelt key": (variable("weight =", "wieght ="), "observatory.toml", "did you mean weight"),
    "households or persons": (
        variable('weight = "w"', 'weight = "w"\nweights_of = "people"'), "observatory.toml", "persons"
    ),
    "a filter that is none": (
        variable('asked_if = "victim_physical_12m"', 'asked_if = "victim_12m"'), "observatory.toml", "no variable of"
    ),
    "a breakdown of no source": (variable('by = [["sex"]', 'by = [["income"]'), "observatory.toml", "income"),
    "rules that nobody knows": (variable('weight = "w"', 'weight = "w"\nscheme = "nhcs"'), "observatory.toml", "nchs"),
    "a role of another kind": (
        variable('"rob", number = true, limits = [0, 50]', '"rob", yes = [1]'), "observatory.toml", "How many"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_SURVEYS)
def test_bad_surveys_are_named(tmp_path, name):
    changed, where, what = BAD_SURVEYS[name]
    folder = mini_survey.build(tmp_path, **changed)
    code, answer = check(folder)
    assert code == 1
    found = [p for p in answer["problems"] if p["severity"] == "error"]
    assert any(where in f"{p['file']}:{p['column']}" and what in f"{p['what']} {p['todo']}" for p in found), found
    text = run("measure", folder)[1]
    assert "Traceback" not in text
